package main_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"millrace/cmd/internal/proc"
)

func itoa(n int) string { return strconv.Itoa(n) }

// sameLines compares lines in any order.
func sameLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Fields(got), strings.Fields(want)
	slices.Sort(g)
	slices.Sort(w)
	if !slices.Equal(g, w) {
		t.Errorf("%d lines came back, want %d", len(g), len(w))
	}
}

// TestClients runs clients of other languages and Apache Kafka's own tools against one worker, unchanged, and in the end lets
// Kafka's DumpLogSegments read every file that they left.
func TestClients(t *testing.T) {
	w := start(t, "--set", "broker.log.cleaner.backoff.ms=100")
	t.Run("kcat", func(t *testing.T) { kcat(t, w) })
	t.Run("kafkajs", func(t *testing.T) { kafkajs(t, w) })
	t.Run("console", func(t *testing.T) { console(t, w) })
	t.Run("verifiable", func(t *testing.T) { verifiable(t, w) })
	t.Run("performance", func(t *testing.T) { performance(t, w) })
	t.Run("admin", func(t *testing.T) { admin(t, w) })
	t.Run("compression", func(t *testing.T) { compression(t, w) })
	t.Run("compaction", func(t *testing.T) { compaction(t, w) })
	t.Run("DumpLogSegments", func(t *testing.T) { dumpLogSegments(t, w) })
}

func kcat(t *testing.T, w *proc.Worker) {
	k := plainTool(t, "kcat")
	lines := numbers(5000)
	k.run(t, lines, "-P", "-q", "-b", w.Kafka, "-t", "kcat", "-X", "enable.idempotence=true")
	sameLines(t, k.run(t, "", "-C", "-q", "-e", "-b", w.Kafka, "-t", "kcat", "-o", "beginning"), lines)
	sameLines(t, k.run(t, "", "-q", "-e", "-b", w.Kafka, "-X", "auto.offset.reset=earliest", "-G", "kcat-group", "kcat"), lines)
	if list := k.run(t, "", "-L", "-b", w.Kafka); !strings.Contains(list, `topic "kcat" with 1 partitions`) {
		t.Errorf("the topic is not listed:\n%s", list)
	}
}

func kafkajs(t *testing.T, w *proc.Worker) {
	out := nodeTool(t, filepath.Join("testdata", "clients", "kafkajs.js")).run(t, "", w.Kafka, "kafkajs", "300")
	var got struct {
		Seen, Headers, Committed int
		Grouped                  bool
	}
	if err := json.Unmarshal([]byte(lastLine(out)), &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if got.Seen != 300 || got.Headers < 300 || got.Committed != 300 || !got.Grouped {
		t.Errorf("kafkajs read %+v of 300 records", got)
	}
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

func console(t *testing.T, w *proc.Worker) {
	lines := numbers(200)
	kafkaTool(t, "ConsoleProducer").run(t, lines, "--bootstrap-server", w.Kafka, "--topic", "console")
	out := kafkaTool(t, "consumer.ConsoleConsumer").run(t, "", "--bootstrap-server", w.Kafka, "--topic", "console",
		"--group", "console-group", "--from-beginning", "--max-messages", "200", "--timeout-ms", "60000")
	sameLines(t, out, lines)
}

func verifiable(t *testing.T, w *proc.Worker) {
	out := kafkaTool(t, "VerifiableProducer").run(t, "", "--bootstrap-server", w.Kafka, "--topic", "verifiable",
		"--max-messages", "10000", "--acks", "-1")
	if !strings.Contains(lastLine(out), `"sent":10000,"acked":10000`) {
		t.Errorf("the producer ended with %s", lastLine(out))
	}
	out = kafkaTool(t, "VerifiableConsumer").run(t, "", "--bootstrap-server", w.Kafka, "--topic", "verifiable",
		"--group-id", "verifiable-group", "--reset-policy", "earliest", "--max-messages", "10000")
	count := 0
	for line := range strings.SplitSeq(out, "\n") {
		var event struct {
			Name  string
			Count int
		}
		if json.Unmarshal([]byte(line), &event) == nil && event.Name == "records_consumed" {
			count += event.Count
		}
	}
	if count != 10000 {
		t.Errorf("the consumer counted %d records, want 10000", count)
	}
}

func performance(t *testing.T, w *proc.Worker) {
	out := kafkaTool(t, "ProducerPerformance").run(t, "", "--bootstrap-server", w.Kafka, "--topic", "performance",
		"--num-records", "100000", "--record-size", "100", "--throughput", "-1")
	if !strings.Contains(out, "100000 records sent") {
		t.Errorf("the producer said:\n%s", out)
	}
	t.Log(lastLine(out))
	out = kafkaTool(t, "ConsumerPerformance").run(t, "", "--bootstrap-server", w.Kafka, "--topic", "performance",
		"--num-records", "100000", "--group", "performance-group", "--timeout", "60000")
	if !strings.Contains(out, "100000") {
		t.Errorf("the consumer said:\n%s", out)
	}
	t.Log(lastLine(out))
}

func admin(t *testing.T, w *proc.Worker) {
	topics := kafkaTool(t, "TopicCommand")
	topics.run(t, "", "--bootstrap-server", w.Kafka, "--create", "--topic", "admin", "--partitions", "2", "--config", "retention.ms=3600000")
	topics.run(t, "", "--bootstrap-server", w.Kafka, "--alter", "--topic", "admin", "--partitions", "4")
	out := topics.run(t, "", "--bootstrap-server", w.Kafka, "--describe", "--topic", "admin")
	if !strings.Contains(out, "PartitionCount: 4") || !strings.Contains(out, "retention.ms=3600000") {
		t.Errorf("the topic is described as\n%s", out)
	}
	topics.run(t, "", "--bootstrap-server", w.Kafka, "--delete", "--topic", "admin")
	out = kafkaTool(t, "consumer.group.ConsumerGroupCommand").run(t, "", "--bootstrap-server", w.Kafka, "--describe", "--group", "console-group")
	if !strings.Contains(out, "console") {
		t.Errorf("the group is described as\n%s", out)
	}
}

func compression(t *testing.T, w *proc.Worker) {
	k := plainTool(t, "kcat")
	consumer := kafkaTool(t, "consumer.ConsoleConsumer")
	for _, codec := range []string{"gzip", "snappy", "lz4", "zstd"} {
		topic, lines := "compressed-"+codec, numbers(1000)
		k.run(t, lines, "-P", "-q", "-b", w.Kafka, "-t", topic, "-z", codec)
		out := consumer.run(t, "", "--bootstrap-server", w.Kafka, "--topic", topic, "--partition", "0", "--offset", "earliest",
			"--max-messages", "1000", "--timeout-ms", "60000")
		sameLines(t, out, lines)
	}
}

// compaction fills several segments with the same keys again and again and waits until they were compacted.
func compaction(t *testing.T, w *proc.Worker) {
	if code, _, errs := millrace(t, "", "topics", "create", "compacted", "-b", w.Kafka, "--config", "cleanup.policy=compact",
		"--config", "segment.bytes=1048576", "--config", "min.cleanable.dirty.ratio=0.01"); code != 0 {
		t.Fatal(errs)
	}
	var lines strings.Builder
	const keys, rounds = 100, 400
	for i := range keys * rounds {
		fmt.Fprintf(&lines, "%d:%0100d\n", i%keys, i)
	}
	k := plainTool(t, "kcat")
	k.run(t, lines.String(), "-P", "-q", "-b", w.Kafka, "-t", "compacted", "-K", ":", "-X", "enable.idempotence=true", "-X", "batch.num.messages=100")
	newest := make(map[string]string)
	left := 0
	eventually(t, "compaction", func() bool {
		left = 0
		for line := range strings.Lines(k.run(t, "", "-C", "-q", "-e", "-b", w.Kafka, "-t", "compacted", "-o", "beginning", "-K", ":")) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			newest[key] = value
			left++
		}
		return left < keys*rounds/2
	})
	for i := range keys {
		if got, want := newest[fmt.Sprint(i)], fmt.Sprintf("%0100d", keys*(rounds-1)+i); got != want {
			t.Errorf("key %d has %q, want %q", i, got, want)
		}
	}
	t.Logf("%d of %d records left", left, keys*rounds)
}

func dumpLogSegments(t *testing.T, w *proc.Worker) {
	dump := kafkaTool(t, "DumpLogSegments")
	if _, err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]string{}
	err := filepath.WalkDir(w.Dir, func(path string, _ fs.DirEntry, err error) error {
		dir := filepath.Base(filepath.Dir(path))
		if ext := filepath.Ext(path); slices.Contains([]string{".log", ".index", ".timeindex", ".snapshot", ".txnindex"}, ext) && dir != "metadata" {
			files[ext] = append(files[ext], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for ext, list := range files {
		out := dump.run(t, "", "--deep-iteration", "--verify-index-only", "--files", strings.Join(list, ","))
		for _, bad := range []string{"isvalid: false", "Found timestamp mismatch", "Index offset", "Exception", "ismagic", "Found out of order", "non-consecutive"} {
			if strings.Contains(out, bad) {
				t.Errorf("%s: DumpLogSegments says %q:\n%.2000s", ext, bad, out)
			}
		}
		t.Logf("%d %s files read", len(list), ext)
	}
	if len(files[".snapshot"]) == 0 || len(files[".log"]) == 0 || len(files[".index"]) == 0 || len(files[".timeindex"]) == 0 {
		t.Errorf("there are no segments below %s: %v", w.Dir, fmt.Sprint(files))
	}
}
