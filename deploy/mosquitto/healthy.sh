#!/bin/sh
# Whether the broker works, without a connection to it: each check that connects leaves three lines in its log. Mosquitto saves
# what it keeps each second or two (autosave_interval), whether anything changed or not. So a young file says that its loop turns
# and that the disk takes what must not be lost.
file=${1:-/mosquitto/data/mosquitto.db}
saved_at=$(stat -c %Y "$file" 2>/dev/null) || { echo "nothing was saved yet: $file is not there"; exit 1; }
age=$(($(date +%s) - saved_at))
[ "$age" -lt 15 ] || { echo "saved $age s ago: the broker hangs, or its disk is full"; exit 1; }
echo "saved $age s ago"
