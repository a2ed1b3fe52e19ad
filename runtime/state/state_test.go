package state

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/offsets/topiclog"
)

func TestConfigs(t *testing.T) {
	var changes []Change
	c, err := OpenConfigs(t.Context(), InMemory(), func(c Change) { changes = append(changes, c) }, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	config := connectors.Raw(map[string]string{"a": "1"})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(c.PutConnector(ctx, "x-1", config, TargetPaused))
	check(c.PutTasks(ctx, "x-1", []connectors.RawConfig{config, config}))
	check(c.PutTarget(ctx, "x-1", TargetPaused)) // as before: no change
	check(c.PutTarget(ctx, "x-1", TargetStarted))
	check(c.PutRestart(ctx, "x-1", Restart{OnlyFailed: true}))
	check(c.PutLogger(ctx, "org.x", "DEBUG"))
	want := []Change{
		{Connector: "x-1"}, {Connector: "x-1"}, {Connector: "x-1"},
		{Connector: "x-1", Restart: &Restart{OnlyFailed: true}}, {Logger: "org.x", Level: "DEBUG"},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	got := c.Connector("x-1")
	if got.Target != TargetStarted || len(got.Tasks) != 2 || got.Inconsistent {
		t.Errorf("connector = %+v", got)
	}
	// A commit without its tasks leaves none.
	check(c.log.Append(ctx, record("task-x-1-0", propertiesValue(config)), record("commit-x-1", []byte(`{"tasks":3}`))))
	if got = c.Connector("x-1"); !got.Inconsistent || got.Tasks != nil {
		t.Errorf("after a broken commit: %+v", got)
	}
	check(c.DeleteConnector(ctx, "x-1"))
	check(c.PutTasks(ctx, "x-1", []connectors.RawConfig{config})) // late tasks of a deleted connector
	check(c.PutConnector(ctx, "x-1", config, ""))
	if got = c.Connector("x-1"); got.Target != TargetStarted || got.Tasks != nil {
		t.Errorf("after deletion and creation: %+v", got)
	}
	// Garbage is passed over.
	check(c.log.Append(ctx, record("connector-y", []byte("{")), record("task-z", []byte("{}")), record("what", nil),
		record("commit-x-1", []byte(`{"tasks":1e18}`)), record("target-state-x-1", []byte(`{"state":"GONE"}`))))
	if diff := cmp.Diff([]string{"x-1"}, c.Names()); diff != "" {
		t.Error(diff)
	}
}

// delayed is a log whose answers and echoes come when the test says.
type delayed struct {
	memory
	done []func(topiclog.Record, error)
	recs []topiclog.Record
}

func (d *delayed) AppendAsync(r topiclog.Record, done func(topiclog.Record, error)) {
	r.Offset = d.next
	d.next++
	d.done, d.recs = append(d.done, done), append(d.recs, r)
}

func TestStatuses_own_writes_show_over_older_records(t *testing.T) {
	log := &delayed{}
	s := &Statuses{log: log, slog: slog.Default(), me: "me", entries: map[string]*entry{},
		tasks: map[string]map[int]Status{}, topics: map[string]map[string]Topic{}}
	st := func(state, worker string) *Status { return &Status{State: state, WorkerID: worker} }
	s.PutTask("c", 0, st("RUNNING", "me")) // offset 0
	s.PutTask("c", 0, nil)                 // offset 1
	s.PutTask("c", 0, st("PAUSED", "me"))  // offset 2
	want := func(state string) {
		t.Helper()
		got := ""
		if st := s.Task("c", 0); st != nil {
			got = st.State
		}
		if got != state {
			t.Errorf("state = %q, want %q", got, state)
		}
	}
	want("PAUSED")
	s.apply(log.recs[0])
	s.apply(log.recs[1])
	want("PAUSED") // our own old records come back
	for i, done := range log.done {
		done(log.recs[i], nil)
	}
	s.apply(log.recs[2])
	want("PAUSED")
	foreign := topiclog.Record{Key: []byte("status-task-c-0"), Value: statusValue(st("FAILED", "other")), Offset: 3}
	s.apply(foreign)
	want("FAILED")
	s.PutTask("c", 0, nil) // takes offset 3 in this fake
	foreign.Offset = 9
	s.apply(foreign) // read before our answer came, but newer
	want("")
	log.done[3](log.recs[3], nil)
	want("FAILED")
}

func TestStatuses_of_lost_generations_do_not_count(t *testing.T) {
	log := &delayed{}
	s := &Statuses{log: log, slog: slog.Default(), me: "me", entries: map[string]*entry{},
		tasks: map[string]map[int]Status{}, topics: map[string]map[string]Topic{}}
	s.PutTask("c", 0, &Status{State: "RUNNING", WorkerID: "me", Generation: 7})
	log.done[0](log.recs[0], nil)
	foreign := func(state string, generation int32, offset int64) {
		s.apply(topiclog.Record{Key: []byte("status-task-c-0"), Offset: offset,
			Value: statusValue(&Status{State: state, WorkerID: "other", Generation: generation})})
	}
	foreign("UNASSIGNED", 6, 1) // it woke up, and has no task any more
	if st := s.Task("c", 0); st == nil || st.State != "RUNNING" {
		t.Errorf("status %v, want ours", st)
	}
	if len(log.recs) != 2 || string(log.recs[1].Value) != string(log.recs[0].Value) {
		t.Fatalf("%d records written, want ours again", len(log.recs))
	}
	log.done[1](topiclog.Record{Offset: 2}, nil)
	foreign("RUNNING", 8, 3) // it took over
	if st := s.Task("c", 0); st == nil || st.WorkerID != "other" {
		t.Errorf("status %v, want that of the new generation", st)
	}
}
