"""`dotbus alarms`: what is wrong, acknowledged and shelved from a terminal, and how many alarms there were."""
