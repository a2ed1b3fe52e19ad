package file_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/file"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func plugin(kind connectors.Kind) connectors.Plugin {
	for _, p := range file.Plugins() {
		if p.Kind == kind {
			return p
		}
	}
	panic("no plugin of kind " + kind)
}

var source, sink = plugin(connectors.KindSource), plugin(connectors.KindSink)

// write appends text to the file at path.
func write(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSourceContract(t *testing.T) {
	connectortest.TestSource(t, connectortest.SourceCase{
		Plugin: source,
		Setup: func(t *testing.T) (map[string]string, func(...string)) {
			path := filepath.Join(t.TempDir(), "in.txt")
			return map[string]string{"file": path, "topic": "t"}, func(values ...string) {
				write(t, path, strings.Join(values, "\n")+"\n")
			}
		},
	})
}

func TestSinkContract(t *testing.T) {
	connectortest.TestSink(t, connectortest.SinkCase{
		Plugin: sink,
		Setup: func(t *testing.T) (map[string]string, func(int) []string) {
			path := filepath.Join(t.TempDir(), "out.txt")
			return map[string]string{"file": path}, func(int) []string {
				return strings.Split(strings.TrimSuffix(read(t, path), "\n"), "\n")
			}
		},
	})
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func BenchmarkSource(b *testing.B) {
	const lines = 1 << 20
	path := filepath.Join(b.TempDir(), "in.txt")
	line := strings.Repeat("x", 99) + "\n"
	if err := os.WriteFile(path, bytes.Repeat([]byte(line), lines), 0o644); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		task := source.NewSource().NewTask()
		tc := sourceContext{b}
		if err := task.Start(b.Context(), tc, map[string]string{"file": path, "topic": "t"}); err != nil {
			b.Fatal(err)
		}
		for left := lines; left > 0; {
			records, err := task.Poll(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			left -= len(records)
			n += len(records)
		}
		if err := task.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
}

func BenchmarkSink(b *testing.B) {
	task := sink.NewSink().NewTask()
	config := map[string]string{"file": filepath.Join(b.TempDir(), "out.txt")}
	if err := task.Start(b.Context(), &connectortest.SinkContext{}, config); err != nil {
		b.Fatal(err)
	}
	records := make([]connectors.SinkRecord, 500)
	for i := range records {
		records[i] = connectortest.Record("t", int64(i), connectors.StringSchema, strings.Repeat("x", 99))
	}
	n, last := 0, time.Now()
	for b.Loop() {
		if err := task.Put(b.Context(), records); err != nil {
			b.Fatal(err)
		}
		n += len(records)
		if time.Since(last) > time.Second {
			last = time.Now()
			if err := task.Flush(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
	if err := task.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}
