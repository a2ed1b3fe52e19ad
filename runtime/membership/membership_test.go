package membership_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/runtime/assign"
	"millrace/runtime/membership"
)

// fakeWorker has the work that the test says.
type fakeWorker struct {
	connectors []string
	tasks      []assign.Task
	heard      []membership.Assignment
}

func (w *fakeWorker) Work() (int64, []string, []assign.Task) { return 0, w.connectors, w.tasks }
func (w *fakeWorker) CatchUp(context.Context) error          { return nil }
func (w *fakeWorker) Idle(assign.Task) bool                  { return false }
func (w *fakeWorker) Suspend(context.Context)                {}
func (w *fakeWorker) Assigned(a membership.Assignment) <-chan struct{} {
	w.heard = append(w.heard, a)
	settled := make(chan struct{})
	close(settled)
	return settled
}

func TestSolo(t *testing.T) {
	var s membership.Solo
	s.Changed() // nobody is there to hear of it
	w := &fakeWorker{connectors: []string{"early"}}
	s.Join(w)
	tasks := []assign.Task{{Connector: "a", ID: 0}}
	w.connectors, w.tasks = []string{"a"}, tasks
	s.Changed()
	s.Leave()
	want := []membership.Assignment{
		{Leader: true, Work: assign.Work{Connectors: []string{"early"}}},
		{Leader: true, Work: assign.Work{Connectors: []string{"a"}, Tasks: tasks}},
		{Lost: true, Reason: "leaves the group"},
	}
	if diff := cmp.Diff(want, w.heard, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("assignments (-want +got):\n%s", diff)
	}
}
