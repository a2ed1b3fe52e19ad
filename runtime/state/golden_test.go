package state

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/offsets/connectjson"
	"millrace/offsets/topiclog"
)

type goldenStep struct {
	Step    string
	Records []struct {
		Topic      string
		Offset     int64
		Key, Value *struct{ Bytes []byte }
	}
}

// recorded are the records of a topic in the project's recorded life and those under GOLDEN_DIR.
func recorded(t *testing.T, topic string) []topiclog.Record {
	t.Helper()
	records := golden(t, "testdata/life.json", topic)
	if dir := os.Getenv("GOLDEN_DIR"); dir != "" {
		files, err := filepath.Glob(filepath.Join(dir, "internal-topics", "life*.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			records = append(records, golden(t, file, topic)...)
		}
	}
	t.Logf("golden: %d cases", len(records))
	return records
}

func golden(t *testing.T, file, topic string) []topiclog.Record {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var steps []goldenStep
	if err := json.Unmarshal(data, &steps); err != nil {
		t.Fatal(err)
	}
	var records []topiclog.Record
	for _, s := range steps {
		for _, r := range s.Records {
			if r.Topic != topic {
				continue
			}
			rec := topiclog.Record{Key: r.Key.Bytes, Offset: r.Offset}
			if r.Value != nil {
				rec.Value = r.Value.Bytes
			}
			records = append(records, rec)
		}
	}
	return records
}

// written opens a memory log that also lists what was written to it.
func written(records *[]topiclog.Record, old []topiclog.Record) Opener {
	return func(ctx context.Context, apply func(topiclog.Record)) (Log, error) {
		for _, r := range old {
			apply(r)
		}
		next := int64(0)
		if len(old) > 0 {
			next = old[len(old)-1].Offset + 1
		}
		return &memory{next: next, apply: func(r topiclog.Record) {
			*records = append(*records, r)
			apply(r)
		}}, nil
	}
}

// TestGolden_configs reads the records of a Kafka Connect worker's life and writes each again: same bytes.
func TestGolden_configs(t *testing.T) {
	for _, want := range recorded(t, "connect-configs") {
		var got []topiclog.Record
		c, err := OpenConfigs(t.Context(), written(&got, nil), func(Change) {}, slog.Default())
		if err != nil {
			t.Fatal(err)
		}
		key := string(want.Key)
		name := key[strings.IndexByte(key, '-')+1:]
		switch {
		case want.Value == nil && strings.HasPrefix(key, connectorPrefix):
			err = c.DeleteConnector(t.Context(), name)
		case want.Value == nil:
			continue // written by the case above
		case strings.HasPrefix(key, targetPrefix):
			target, perr := parseTarget(want.Value)
			if perr != nil {
				t.Fatal(perr)
			}
			err = c.PutTarget(t.Context(), strings.TrimPrefix(key, targetPrefix), target)
		case strings.HasPrefix(key, connectorPrefix):
			config, perr := properties(want.Value)
			if perr != nil {
				t.Fatal(perr)
			}
			err = c.PutConnector(t.Context(), name, config, "")
		case strings.HasPrefix(key, commitPrefix):
			o, perr := object(want.Value)
			if perr != nil {
				t.Fatal(perr)
			}
			err = c.log.Append(t.Context(), record(key, encode(connectjson.Object{{Name: "tasks", Value: o["tasks"]}})))
		case strings.HasPrefix(key, restartPrefix):
			change, perr := applyRestart(strings.TrimPrefix(key, restartPrefix), want.Value)
			if perr != nil {
				t.Fatal(perr)
			}
			err = c.PutRestart(t.Context(), change.Connector, *change.Restart)
		case strings.HasPrefix(key, loggerPrefix):
			change, perr := applyLogger(strings.TrimPrefix(key, loggerPrefix), want.Value)
			if perr != nil {
				t.Fatal(perr)
			}
			err = c.PutLogger(t.Context(), change.Logger, change.Level)
		case key == sessionKey:
			if err := c.applySessionKey(want.Value); err != nil {
				t.Fatal(err)
			}
			err = c.PutSessionKey(t.Context(), *c.SessionKey())
		case strings.HasPrefix(key, taskPrefix):
			config, perr := properties(want.Value)
			if perr != nil {
				t.Fatal(perr)
			}
			err = c.log.Append(t.Context(), record(key, propertiesValue(config)))
		case strings.HasPrefix(key, fencingPrefix):
			continue // not written without transactions
		default:
			t.Fatalf("unexpected key %s", key)
		}
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		if string(got[0].Key) != key {
			t.Errorf("key %s, want %s", got[0].Key, key)
		}
		compareValues(t, key, want.Value, got[0].Value)
	}
}

// compareValues compares bytes, but properties as JSON: the order of their members is a Java map's.
func compareValues(t *testing.T, key string, want, got []byte) {
	t.Helper()
	if string(want) == string(got) {
		return
	}
	if strings.HasPrefix(string(want), `{"properties":`) && len(want) == len(got) {
		w, _ := connectjson.Read(want)
		g, _ := connectjson.Read(got)
		if diff := cmp.Diff(w, g); diff == "" {
			return
		}
	}
	t.Errorf("value of %s:\n got %s\nwant %s", key, got, want)
}

func TestGolden_statuses(t *testing.T) {
	for _, want := range recorded(t, "connect-status") {
		var got []topiclog.Record
		s, err := OpenStatuses(t.Context(), written(&got, nil), "me", slog.Default())
		if err != nil {
			t.Fatal(err)
		}
		key := string(want.Key)
		st, perr := parseStatus(want.Value)
		switch {
		case strings.HasPrefix(key, connectorStatusPrefix):
			s.PutConnector(strings.TrimPrefix(key, connectorStatusPrefix), st)
		case strings.HasPrefix(key, taskStatusPrefix):
			connector, task, err := taskKey(strings.TrimPrefix(key, taskStatusPrefix))
			if err != nil {
				t.Fatal(err)
			}
			s.PutTask(connector, task, st)
		case strings.HasPrefix(key, topicStatusPrefix):
			topic, connector, _ := strings.Cut(strings.TrimPrefix(key, topicStatusPrefix), topicStatusInfix)
			var parsed *Topic
			if parsed, perr = parseTopic(want.Value); parsed == nil {
				s.RemoveTopic(connector, topic)
			} else {
				s.PutTopic(*parsed)
			}
		}
		if perr != nil {
			t.Fatal(perr)
		}
		if len(got) != 1 || string(got[0].Key) != key {
			t.Fatalf("wrote %v, want one record of %s", got, key)
		}
		compareValues(t, key, want.Value, got[0].Value)
	}
}

// TestGolden_state reads a whole life: at its end three connectors are left.
func TestGolden_state(t *testing.T) {
	var none []topiclog.Record
	c, err := OpenConfigs(t.Context(), written(&none, golden(t, "testdata/life.json", "connect-configs")), func(Change) {}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a-1 b/c?%ü", "born-running", "src"}, c.Names()); diff != "" {
		t.Errorf("connectors (-want +got):\n%s", diff)
	}
	src := c.Connector("src")
	if src == nil || src.Target != TargetStarted || len(src.Tasks) != 1 || *src.Tasks[0]["file"] != "in.txt" {
		t.Errorf("src = %+v", src)
	}
	s, err := OpenStatuses(t.Context(), written(&none, golden(t, "testdata/life.json", "connect-status")), "me", slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Connector("src"); st == nil || st.State != "RUNNING" || st.WorkerID != "127.0.0.1:28083" || *st.Version != "4.3.1" {
		t.Errorf("status of src = %+v", st)
	}
	if s.Connector("snk") != nil || len(s.Tasks("snk")) != 0 || len(s.Topics("snk")) != 0 {
		t.Error("snk was deleted but has statuses")
	}
	if got := s.Tasks("src"); len(got) != 1 {
		t.Errorf("tasks of src = %v", got)
	}
}
