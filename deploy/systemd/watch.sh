#!/bin/sh
# Asks every unit of dotbus that runs how it is. One whose /health says that only a restart helps, or that answers nothing, is
# started again; why one is not ready (/ready) goes to the journal, and nobody is restarted for it: it goes on by itself.
# Ends with 1 when any is not as it should be, so that `systemctl --failed` shows it and OnFailure= can tell somebody.
status=0
ask() {
  curl --silent --show-error --fail-with-body --max-time 10 --retry "$2" --retry-delay 5 --retry-all-errors "http://127.0.0.1:$1"
}
for one in ads-ingest:9181 lmp-ingest:9182 modbus-gateway:9183 historian:9184 historian-api:9185 alarms:9186 console:9187; do
  name=${one%:*} port=${one#*:}
  systemctl is-active --quiet "dotbus-$name" || continue   # stopped by somebody, or started again at this moment
  if ! said=$(ask "$port/health" 3 2>&1); then
    echo "dotbus-$name does not work, and is started again: $said"
    systemctl restart "dotbus-$name" || true
    status=1
  elif ! said=$(ask "$port/ready" 0 2>&1); then
    echo "dotbus-$name is not ready: $said"
    status=1
  fi
done
exit $status
