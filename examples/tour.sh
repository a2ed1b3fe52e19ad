#!/bin/sh
# Every route of the REST API, once, with curl. It stops at the first answer that is not as expected.
# Usage: examples/tour.sh [http://127.0.0.1:8083]
set -eu
url=${1:-http://127.0.0.1:8083}
name=tour-$$
dir=$(mktemp -d)
trap 'curl -s -o /dev/null -X DELETE "$url/connectors/$name"; rm -rf "$dir"' EXIT

# call METHOD PATH STATUS [BODY]
call() {
    if [ $# -gt 3 ]; then
        status=$(curl -s -o "$dir/answer" -w '%{http_code}' -X "$1" -H 'Content-Type: application/json' -d "$4" "$url$2")
    else
        status=$(curl -s -o "$dir/answer" -w '%{http_code}' -X "$1" "$url$2")
    fi
    echo "$1 $2 -> $status"
    head -c 300 "$dir/answer"
    echo
    if [ "$status" != "$3" ]; then
        echo "expected $3" >&2
        exit 1
    fi
}

# until_state STATE: the change was accepted, now wait until it is done
until_state() {
    for _ in $(seq 100); do
        curl -s "$url/connectors/$name/status" | grep -q "\"connector\":{\"state\":\"$1\"" && return
        sleep 0.1
    done
    echo "$name does not become $1" >&2
    exit 1
}

seq 1000 >"$dir/lines.txt"
class=org.apache.kafka.connect.file.FileStreamSourceConnector
config="\"name\":\"$name\",\"connector.class\":\"$class\",\"tasks.max\":\"1\",\"file\":\"$dir/lines.txt\",\"topic\":\"tour\""

call GET / 200
call GET /health 200
call GET /openapi.json 200
call GET /connector-plugins 200
call GET '/connector-plugins?connectorsOnly=false' 200
call GET /connector-plugins/$class/config 200
call PUT /connector-plugins/$class/config/validate 200 "{$config}"

call GET /connectors 200
call POST /connectors 201 "{\"name\":\"$name\",\"config\":{$config}}"
call POST /connectors 409 "{\"name\":\"$name\",\"config\":{$config}}"
until_state RUNNING
call GET "/connectors?expand=info&expand=status" 200
call GET /connectors/$name 200
call GET /connectors/$name/status 200
call GET /connectors/$name/health 200
call GET /connectors/$name/tasks 200
call GET /connectors/$name/tasks/0/status 200
call POST /connectors/$name/tasks/0/restart 204
call GET /connectors/$name/topics 200
call PUT /connectors/$name/topics/reset 202

call GET /connectors/$name/config 200
call PUT /connectors/$name/config 200 "{$config,\"batch.size\":\"500\"}"
call PATCH /connectors/$name/config 200 '{"batch.size":"100"}'

call PUT /connectors/$name/pause 202
until_state PAUSED
call PUT /connectors/$name/resume 202
until_state RUNNING
call POST /connectors/$name/restart 204
call POST "/connectors/$name/restart?includeTasks=true&onlyFailed=false" 202
until_state RUNNING

call PUT /connectors/$name/stop 204
until_state STOPPED
call GET /connectors/$name/offsets 200
call PATCH /connectors/$name/offsets 200 "{\"offsets\":[{\"partition\":{\"filename\":\"$dir/lines.txt\"},\"offset\":{\"position\":0}}]}"
call DELETE /connectors/$name/offsets 200

call GET /admin/loggers 200
call GET /admin/loggers/root 200
call PUT /admin/loggers/root 200 '{"level":"INFO"}'
call GET /metrics 200

# What workers ask each other needs their signature.
call POST /connectors/$name/tasks 400 '[]'
call PUT /connectors/$name/fence 400

call DELETE /connectors/$name 204
call GET /connectors/$name 404
echo "every route answered as expected"
