package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"millrace/runtime/kafkatest"
)

// TestStandaloneOnApacheKafka runs the files of Kafka's own quick start against a cluster that wants SASL over TLS.
func TestStandaloneOnApacheKafka(t *testing.T) {
	k := kafkatest.Start(t)
	dir := t.TempDir()
	file := func(name string, lines ...string) string {
		return put(t, filepath.Join(dir, name), strings.Join(lines, "\n")+"\n")
	}
	worker := file("connect-standalone.properties",
		"bootstrap.servers="+k.SecureAddr,
		"key.converter=org.apache.kafka.connect.json.JsonConverter",
		"value.converter=org.apache.kafka.connect.json.JsonConverter",
		"key.converter.schemas.enable=true",
		"value.converter.schemas.enable=true",
		"offset.storage.file.filename="+filepath.Join(dir, "connect.offsets"),
		"offset.flush.interval.ms=10000",
		"security.protocol=SASL_SSL",
		"sasl.mechanism=SCRAM-SHA-512",
		"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\",
		`  username="`+kafkatest.ScramUser+`" \`,
		`  password="`+kafkatest.ScramPassword+`";`,
		"ssl.truststore.location="+k.Identity.TrustJKS,
		"ssl.truststore.password="+kafkatest.Password)
	source := file("connect-file-source.properties",
		"name=local-file-source", "connector.class=FileStreamSource", "tasks.max=1", "file=test.txt", "topic=connect-test")
	sink := file("connect-file-sink.properties",
		"name=local-file-sink", "connector.class=FileStreamSink", "tasks.max=1", "file=test.sink.txt", "topics=connect-test")
	in, out := file("test.txt", "foo", "bar"), filepath.Join(dir, "test.sink.txt")

	var said bytes.Buffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the worker said:\n%s", &said)
		}
	})
	turn := func(want string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, "standalone", worker, source, sink, "--set", "listeners=http://127.0.0.1:0")
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the lines of this turn", holds(t, out, want))
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	turn("foo\nbar\n")
	appendTo(t, in, "baz\n")
	turn("foo\nbar\nbaz\n")

	// It keeps its state to itself, as Kafka Connect does, and starts no log of its own.
	client := k.Client()
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil || len(topics) != 1 || !topics.Has("connect-test") {
		t.Errorf("the cluster has the topics %v, %v", topics.Names(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Errorf("there is a data directory: %v", err)
	}
	if strings.Contains(said.String(), kafkatest.ScramPassword) {
		t.Error("the log shows the password")
	}
}
