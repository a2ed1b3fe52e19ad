#!/bin/sh
# Starts three nodes on this machine and waits; Ctrl-C stops them. Logs are in data/node1.log and so on.
set -eu
bin=${MILLRACE:-bin/millrace}
here=$(dirname "$0")
mkdir -p data
pids=
stop() { trap - INT TERM EXIT; kill $pids 2>/dev/null || :; wait; }
trap 'stop; exit 0' INT TERM
trap stop EXIT
for n in 1 2 3; do
	"$bin" distributed "$here/node$n.properties" >"data/node$n.log" 2>&1 &
	pids="$pids $!"
	echo "node $n: process $!, log data/node$n.log"
done
cat <<'END'

Kafka clients: 127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094    REST: http://127.0.0.1:8083, :8084 and :8085. In another terminal:

  curl -X PUT -H 'Content-Type: application/json' http://127.0.0.1:8084/connectors/demo/config -d '{
    "connector.class": "VerifiableSource", "topic": "demo", "id": "1", "throughput": "10", "tasks.max": "6"}'
  curl http://127.0.0.1:8085/connectors/demo/status
  bin/millrace cluster status
  kill -9 PROCESS OF A NODE        # its tasks run elsewhere 10 to 20 seconds later

END
wait
