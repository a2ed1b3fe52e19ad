package file_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/file"
)

type sourceContext struct{ t testing.TB }

func (sourceContext) Offset(context.Context, *connectors.SourcePartition) (map[string]any, error) {
	return nil, nil
}

func (sourceContext) Offsets(context.Context, []*connectors.SourcePartition) ([]map[string]any, error) {
	return nil, nil
}
func (sourceContext) ConnectorName() string       { return "test" }
func (sourceContext) TaskID() int                 { return 0 }
func (c sourceContext) Logger() connectors.Logger { return connectortest.Logger(c.t) }

// A line is a value with the position after it.
type line struct {
	Text string
	End  int64
}

func lines(records []*connectors.SourceRecord) []line {
	var l []line
	for _, r := range records {
		one := line{Text: r.Value.(string)}
		if r.SourceOffset != nil {
			one.End = r.SourceOffset.Map()["position"].(int64)
		}
		l = append(l, one)
	}
	return l
}

func expect(t *testing.T, s *connectortest.Source, want ...line) {
	t.Helper()
	if diff := cmp.Diff(want, lines(s.Wait(len(want)))); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func start(t *testing.T, path string, offsets *connectortest.Offsets) *connectortest.Source {
	t.Helper()
	return connectortest.StartSource(t, source, map[string]string{"file": path, "topic": "t"}, offsets)
}

func at(path string, position any) *connectortest.Offsets {
	o := new(connectortest.Offsets)
	o.Set(map[string]any{"filename": path}, map[string]any{"position": position})
	return o
}

func TestSource(t *testing.T) {
	t.Run("records_look_like_Kafka's", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.txt")
		write(t, path, "one\ntwo\n")
		s := start(t, path, nil)
		r := s.Wait(2)[1]
		if r.Topic != "t" || r.Partition != connectors.NoPartition || r.Key != nil || r.KeySchema != nil ||
			r.ValueSchema != connectors.StringSchema || r.Value != "two" || r.Timestamp <= 0 {
			t.Errorf("record %+v", r.Record)
		}
		if diff := cmp.Diff(map[string]any{"filename": path}, r.SourcePartition.Map()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]any{"position": int64(8)}, r.SourceOffset.Map()); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("positions_count_bytes", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.txt")
		write(t, path, "é\nb\n")
		s := start(t, path, nil)
		expect(t, s, line{"é", 3}, line{"b", 5})
		s.Commit(1)
		s.Stop()
		expect(t, start(t, path, at(path, int64(3))), line{"b", 5})
	})

	t.Run("an_unterminated_line_waits", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.txt")
		write(t, path, "one\ntw")
		s := start(t, path, nil)
		expect(t, s, line{"one", 4})
		write(t, path, "o\r")
		write(t, path, "\nthree\n")
		expect(t, s, line{"one", 4}, line{"two", 9}, line{"three", 15})
	})

	t.Run("a_missing_file_is_waited_for", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.txt")
		s := start(t, path, nil)
		write(t, path, "here\n")
		expect(t, s, line{"here", 5})
	})

	t.Run("a_batch_has_at_most_batch.size_records", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.txt")
		write(t, path, strings.Repeat("x\n", 25))
		for size, want := range map[string]int{"7": 7, "0": 1, "-5": 1, "100": 25} {
			task := source.NewSource().NewTask()
			config := map[string]string{"file": path, "topic": "t", "batch.size": size}
			if err := task.Start(t.Context(), sourceContext{t}, config); err != nil {
				t.Fatal(err)
			}
			records, err := task.Poll(t.Context())
			if err != nil || len(records) != want {
				t.Errorf("batch.size %s: %d records, %v; want %d", size, len(records), err, want)
			}
			if err := task.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("a_directory_is_refused", func(t *testing.T) {
		dir := t.TempDir()
		err := start(t, dir, nil).Failure()
		if !strings.Contains(err.Error(), dir+" is a directory") {
			t.Errorf("error %v", err)
		}
	})

	t.Run("standard_input_has_no_offsets_and_goes_on_in_the_next_task", func(t *testing.T) {
		r, w := io.Pipe()
		t.Cleanup(file.SetStdin(r))
		config := map[string]string{"topic": "t"}
		s := connectortest.StartSource(t, source, config, nil)
		if _, err := io.WriteString(w, "one\n"); err != nil {
			t.Fatal(err)
		}
		expect(t, s, line{"one", 0})
		if r := s.Wait(1)[0]; r.SourcePartition != nil || r.SourceOffset != nil {
			t.Errorf("record %+v", r)
		}
		s.Stop()
		s = connectortest.StartSource(t, source, config, nil)
		if _, err := io.WriteString(w, "two\n"); err != nil {
			t.Fatal(err)
		}
		w.Close()
		expect(t, s, line{"two", 0})
	})
}

func TestSourceFollows(t *testing.T) {
	rename := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("a_rotation_to_the_end_of_the_old_file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.log")
		write(t, path, "one\n")
		s := start(t, path, nil)
		expect(t, s, line{"one", 4})
		rename(t, path, path+".1")
		write(t, path+".1", "two\nno end") // the writer still has it open
		write(t, path, "new\n")
		expect(t, s, line{"one", 4}, line{"two", 8}, line{"no end", 14}, line{"new", 4})
		rename(t, path, path+".2")
		write(t, path, "newer\n")
		s.Wait(5)
		expect(t, s, line{"one", 4}, line{"two", 8}, line{"no end", 14}, line{"new", 4}, line{"newer", 6})
	})

	t.Run("a_truncation", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.log")
		write(t, path, "one\ntwo\n")
		s := start(t, path, nil)
		s.Wait(2)
		if err := os.WriteFile(path, []byte("new\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		expect(t, s, line{"one", 4}, line{"two", 8}, line{"new", 4})
	})

	t.Run("a_truncation_that_has_grown_past_the_position", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.log")
		write(t, path, "one\ntwo\n")
		s := start(t, path, nil)
		s.Wait(2)
		s.AwaitPolls(2) // the end was seen
		if err := os.WriteFile(path, []byte("another\nthree\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		expect(t, s, line{"one", 4}, line{"two", 8}, line{"another", 8}, line{"three", 14})
	})

	t.Run("a_rotation_while_no_task_ran", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.log")
		write(t, path+".1", "one\ntwo\nthree\n")
		write(t, path, "a new and longer file\n")
		s := start(t, path, at(path, int64(4)))
		expect(t, s, line{"two", 8}, line{"three", 14}, line{"a new and longer file", 22})
	})

	t.Run("a_position_past_the_end_from_the_beginning", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.log")
		write(t, path, "one\n")
		expect(t, start(t, path, at(path, int64(1)<<62)), line{"one", 4})
	})

	t.Run("a_position_within_a_line", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.log")
		write(t, path, "one\ntwo\n")
		expect(t, start(t, path, at(path, int64(1))), line{"ne", 4}, line{"two", 8})
	})

	t.Run("not_a_position_that_is_no_number", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "in.log")
		task := source.NewSource().NewTask()
		tc := offsetContext{sourceContext{t}, map[string]any{"position": "4"}}
		err := task.Start(t.Context(), tc, map[string]string{"file": path, "topic": "t"})
		if err == nil || !strings.Contains(err.Error(), "expected to be a Long value") {
			t.Errorf("error %v", err)
		}
	})
}

type offsetContext struct {
	sourceContext
	offset map[string]any
}

func (c offsetContext) Offset(context.Context, *connectors.SourcePartition) (map[string]any, error) {
	return c.offset, nil
}

func TestAlterOffsets(t *testing.T) {
	alterer := source.NewSource().(connectors.OffsetAlterer)
	config := map[string]string{"file": "in.txt", "topic": "t"}
	partition := map[string]any{"filename": "in.txt"}
	for name, c := range map[string]struct {
		partition, offset map[string]any
		want              string
	}{
		"good":              {partition, map[string]any{"position": int64(4)}, ""},
		"removed":           {map[string]any{"x": "y"}, nil, ""},
		"null partition":    {nil, nil, ""},
		"negative":          {partition, map[string]any{"position": int64(-1)}, "The value for the 'position' key in the offset should be a non-negative value"},
		"text":              {partition, map[string]any{"position": "4"}, "The value for the 'position' key in the offset is expected to be a Long value"},
		"float":             {partition, map[string]any{"position": 4.0}, "The value for the 'position' key in the offset is expected to be a Long value"},
		"null position":     {partition, map[string]any{"position": nil}, "The value for the 'position' key in the offset is expected to be a Long value"},
		"no position":       {partition, map[string]any{"pos": int64(1)}, "Offset objects should either be null or contain the key 'position'"},
		"more keys":         {partition, map[string]any{"position": int64(1), "more": "x"}, ""},
		"no partition":      {nil, map[string]any{"position": int64(1)}, "Partition objects cannot be null"},
		"foreign partition": {map[string]any{"file": "x"}, map[string]any{"position": int64(1)}, "Partition objects should contain the key 'filename'"},
		"null filename":     {map[string]any{"filename": nil}, map[string]any{"position": int64(1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ok, err := alterer.AlterOffsets(config, []connectors.PartitionOffset{{Partition: c.partition, Offset: c.offset}})
			if c.want == "" && (err != nil || !ok) {
				t.Errorf("refused: %v", err)
			}
			if c.want != "" && (err == nil || err.Error() != c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	if _, err := alterer.AlterOffsets(map[string]string{"topic": "t"}, nil); err == nil {
		t.Error("offsets of standard input can be altered")
	}
}

func TestExactlyOnceSupport(t *testing.T) {
	s := source.NewSource().(connectors.ExactlyOnceSupporter)
	for path, want := range map[string]connectors.ExactlyOnceSupport{
		"in.txt": connectors.ExactlyOnceSupported, "": connectors.ExactlyOnceUnsupported,
	} {
		got, err := s.ExactlyOnceSupport(map[string]string{"file": path, "topic": "t"})
		if err != nil || got != want {
			t.Errorf("file %q: %v, %v", path, got, err)
		}
	}
}

func TestTaskConfigs(t *testing.T) {
	config := map[string]string{"file": "x", "topic": "t", "other": "kept"}
	if diff := cmp.Diff([]map[string]string{config}, connectortest.TaskConfigs(t, source, config, 7)); diff != "" {
		t.Errorf("source: %s", diff)
	}
	if got := connectortest.TaskConfigs(t, sink, config, 3); len(got) != 3 {
		t.Errorf("sink: %d configs", len(got))
	}
}
