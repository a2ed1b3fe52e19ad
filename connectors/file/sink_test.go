package file_test

import (
	"os"
	"path/filepath"
	"testing"

	"millrace/connectors"
	"millrace/connectors/connectortest"
)

func TestSink(t *testing.T) {
	t.Run("appends_text_of_values", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "out.txt")
		write(t, path, "there\n")
		s := connectortest.StartSink(t, sink, map[string]string{"file": path})
		s.Put(
			connectortest.Record("t", 0, connectors.StringSchema, "text"),
			connectortest.Record("t", 1, nil, nil),
			connectortest.Record("t", 2, connectors.Int64Schema, int64(7)),
			connectortest.Record("t", 3, connectors.BytesSchema, []byte("bytes")),
		)
		s.Flush()
		if got, want := read(t, path), "there\ntext\nnull\n7\nbytes\n"; got != want {
			t.Errorf("file is %q, want %q", got, want)
		}
	})

	t.Run("ends_a_torn_line", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "out.txt")
		write(t, path, "whole\ntor")
		s := connectortest.StartSink(t, sink, map[string]string{"file": path})
		s.Put(connectortest.Records("t", 0, "torn")...)
		s.Flush()
		if got, want := read(t, path), "whole\ntor\ntorn\n"; got != want {
			t.Errorf("file is %q, want %q", got, want)
		}
	})

	t.Run("an_impossible_file_fails_the_start", func(t *testing.T) {
		task := sink.NewSink().NewTask()
		path := filepath.Join(t.TempDir(), "no", "such", "folder")
		if err := task.Start(t.Context(), &connectortest.SinkContext{}, map[string]string{"file": path}); err == nil {
			t.Error("the task started")
		}
		if err := task.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})

	t.Run("a_full_disk_is_worth_trying_again", func(t *testing.T) {
		if _, err := os.Stat("/dev/full"); err != nil {
			t.Skip("no /dev/full here")
		}
		task := sink.NewSink().NewTask()
		if err := task.Start(t.Context(), &connectortest.SinkContext{}, map[string]string{"file": "/dev/full"}); err != nil {
			t.Fatal(err)
		}
		if err := task.Put(t.Context(), connectortest.Records("t", 0, "x")); err != nil {
			t.Errorf("put: %v", err)
		}
		if err := task.Flush(t.Context(), nil); !connectors.Retriable(err) {
			t.Errorf("flush: %v", err)
		}
		if err := task.Stop(t.Context()); err == nil {
			t.Error("stop hides that lines were not written")
		}
	})
}
