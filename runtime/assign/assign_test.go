package assign_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"millrace/runtime/assign"
)

func TestAssign(t *testing.T) {
	task := func(c string, n int) assign.Task { return assign.Task{Connector: c, ID: n} }
	tests := []struct {
		name       string
		members    []string
		connectors []string
		tasks      []assign.Task
		previous   map[string]assign.Work
		want       map[string]assign.Work
	}{
		{
			name: "no members", connectors: []string{"a"}, want: map[string]assign.Work{},
		},
		{
			name: "one member gets all", members: []string{"m"}, connectors: []string{"b", "a"}, tasks: []assign.Task{task("b", 1), task("b", 0)},
			want: map[string]assign.Work{"m": {Connectors: []string{"a", "b"}, Tasks: []assign.Task{task("b", 0), task("b", 1)}}},
		},
		{
			name: "a new member takes only what is above the share", members: []string{"m", "n"}, connectors: []string{"a", "b", "c"},
			previous: map[string]assign.Work{"m": {Connectors: []string{"a", "b", "c"}}},
			want:     map[string]assign.Work{"m": {Connectors: []string{"a", "b"}}, "n": {Connectors: []string{"c"}}},
		},
		{
			name: "work of a lost member goes to the others", members: []string{"m", "n"}, connectors: []string{"a", "b", "c", "d"},
			previous: map[string]assign.Work{"m": {Connectors: []string{"b"}}, "n": {Connectors: []string{"a"}}, "gone": {Connectors: []string{"c", "d"}}},
			want:     map[string]assign.Work{"m": {Connectors: []string{"b", "c"}}, "n": {Connectors: []string{"a", "d"}}},
		},
		{
			name: "deleted connectors go", members: []string{"m"}, connectors: []string{"a"},
			previous: map[string]assign.Work{"m": {Connectors: []string{"a", "b"}, Tasks: []assign.Task{task("b", 0)}}},
			want:     map[string]assign.Work{"m": {Connectors: []string{"a"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := assign.Assign(tt.members, tt.connectors, tt.tasks, tt.previous)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("assignment (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAssign_moves_little lets members come and go: all work is assigned once, evenly, and a task moves only if its member
// is gone or had more than its share.
func TestAssign_moves_little(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var tasks []assign.Task
	for i := range 101 {
		tasks = append(tasks, assign.Task{Connector: fmt.Sprint(i % 10), ID: i})
	}
	var previous map[string]assign.Work
	for range 200 {
		var members []string
		for m := range 7 {
			if rnd.IntN(2) == 0 {
				members = append(members, fmt.Sprint(m))
			}
		}
		got := assign.Assign(members, nil, tasks, previous)
		if len(members) == 0 {
			previous = got
			continue
		}
		seen := map[assign.Task]bool{}
		share := len(tasks) / len(members)
		moved, must := 0, 0
		for m, w := range got {
			if n := len(w.Tasks); n < share || n > share+1 {
				t.Fatalf("%s has %d tasks, share %d", m, n, share)
			}
			for _, task := range w.Tasks {
				if seen[task] {
					t.Fatalf("%v assigned twice", task)
				}
				seen[task] = true
				if !slices.Contains(previous[m].Tasks, task) {
					moved++
				}
			}
			must += max(0, share-len(previous[m].Tasks))
		}
		if len(seen) != len(tasks) {
			t.Fatalf("%d of %d tasks assigned", len(seen), len(tasks))
		}
		if limit := must + len(members); len(previous) > 0 && moved > limit {
			t.Fatalf("%d tasks moved, at most %d had to", moved, limit)
		}
		previous = got
	}
}
