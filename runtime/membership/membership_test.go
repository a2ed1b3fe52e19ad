package membership_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/runtime/assign"
	"millrace/runtime/membership"
)

func TestSolo(t *testing.T) {
	var s membership.Solo
	var heard []membership.Assignment
	s.Rebalance([]string{"early"}, nil)
	if err := s.Join(t.Context(), func(a membership.Assignment) { heard = append(heard, a) }); err != nil {
		t.Fatal(err)
	}
	tasks := []assign.Task{{Connector: "a", ID: 0}}
	s.Rebalance([]string{"a"}, tasks)
	want := []membership.Assignment{
		{Leader: true, Work: assign.Work{Connectors: []string{"early"}}},
		{Leader: true, Work: assign.Work{Connectors: []string{"a"}, Tasks: tasks}},
	}
	if diff := cmp.Diff(want, heard, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("assignments (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[1], s.Current(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("current (-want +got):\n%s", diff)
	}
}
