package assign_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"millrace/runtime/assign"
)

// A group is what members do with what a Planner says: they stop what is revoked, run what is assigned, and meet again.
type group struct {
	t          *testing.T
	planner    assign.Planner
	generation int32
	decided    int32
	now        time.Time
	members    map[string]assign.Work
	connectors []string
	tasks      []assign.Task
	delay      time.Duration
	idle       map[assign.Task]bool
}

func newGroup(t *testing.T, connectors, tasks int, members ...string) *group {
	g := &group{t: t, members: make(map[string]assign.Work), now: time.Unix(1000, 0), idle: make(map[assign.Task]bool)}
	for i := range connectors {
		name := fmt.Sprintf("c%d", i)
		g.connectors = append(g.connectors, name)
		for id := range tasks {
			g.tasks = append(g.tasks, assign.Task{Connector: name, ID: id})
		}
	}
	for _, m := range members {
		g.members[m] = assign.Work{}
	}
	return g
}

// meet has one round and reports whether another one is needed, and the delay.
func (g *group) meet() (again bool, delay time.Duration) {
	g.generation++
	places := make(map[string]string)
	for m := range g.members {
		places[m] = "at " + m[:1] // m2 is m come back
	}
	changes, delay := g.planner.Plan(assign.Round{
		Decided: g.decided, Generation: g.generation, Members: maps.Clone(g.members), Places: places, Connectors: g.connectors, Tasks: g.tasks,
		Now: g.now, MaxDelay: g.delay, Idle: func(t assign.Task) bool { return g.idle[t] },
	})
	g.decided = g.generation
	for m, c := range changes {
		g.members[m] = c.Apply(g.members[m])
		again = again || !c.Revoked.Empty()
	}
	owner := make(map[assign.Task]string)
	for m, w := range g.members {
		w.Each(func(it assign.Task) {
			if other := owner[it]; other != "" {
				g.t.Fatalf("%v runs at %s and %s", it, m, other)
			}
			owner[it] = m
		})
	}
	return again, delay
}

// settle meets until nothing moves.
func (g *group) settle() time.Duration {
	for range 4 {
		if again, delay := g.meet(); !again {
			return delay
		}
	}
	g.t.Fatal("the group does not settle")
	return 0
}

func (g *group) count() (total int, perMember map[string]int) {
	perMember = make(map[string]int)
	for m, w := range g.members {
		perMember[m] = len(w.Connectors) + len(w.Tasks)
		total += perMember[m]
	}
	return total, perMember
}

func (g *group) wantAll() {
	g.t.Helper()
	total, per := g.count()
	if want := len(g.connectors) + len(g.tasks); total != want {
		g.t.Errorf("%d of %d run: %v", total, want, per)
	}
	least, most := 1<<30, 0
	for _, n := range per {
		least, most = min(least, n), max(most, n)
	}
	if most-least > 2 { // one connector and one task
		g.t.Errorf("unevenly: %v", per)
	}
}

func TestPlanner_a_member_joins(t *testing.T) {
	g := newGroup(t, 2, 3, "a", "b")
	g.settle()
	g.wantAll()
	before := maps.Clone(g.members)
	g.members["c"] = assign.Work{}
	g.settle()
	g.wantAll()
	for m, w := range before {
		kept := make(map[assign.Task]bool)
		w.Each(func(it assign.Task) { kept[it] = true })
		g.members[m].Each(func(it assign.Task) {
			if !kept[it] {
				t.Errorf("%s got %v; only the new member should get any", m, it)
			}
		})
	}
}

func TestPlanner_a_member_is_lost(t *testing.T) {
	g := newGroup(t, 2, 3, "a", "b")
	g.delay = 10 * time.Second
	g.settle()
	lost := g.members["b"]
	delete(g.members, "b")
	if delay := g.settle(); delay != g.delay {
		t.Fatalf("delay %s, want %s", delay, g.delay)
	}
	if total, _ := g.count(); total != len(g.connectors)+len(g.tasks)-len(lost.Connectors)-len(lost.Tasks) {
		t.Errorf("%d run while the lost work waits", total)
	}
	t.Run("others come and go meanwhile", func(t *testing.T) {
		g.now = g.now.Add(4 * time.Second)
		if delay := g.settle(); delay != 6*time.Second {
			t.Errorf("delay %s, want what is left of it", delay)
		}
	})
	t.Run("it comes back", func(t *testing.T) {
		g.members["b2"] = assign.Work{}
		g.settle()
		g.wantAll()
		if w := g.members["b2"]; !slices.Equal(w.Tasks, lost.Tasks) || !slices.Equal(w.Connectors, lost.Connectors) {
			t.Errorf("the one that came back has %v, had %v", w, lost)
		}
	})
	t.Run("it does not come back", func(t *testing.T) {
		delete(g.members, "b2")
		g.settle()
		g.now = g.now.Add(g.delay)
		if delay := g.settle(); delay != 0 {
			t.Errorf("delay %s after the delay", delay)
		}
		g.wantAll()
	})
}

func TestPlanner_a_member_says_goodbye(t *testing.T) {
	g := newGroup(t, 2, 3, "a", "b")
	g.delay = 10 * time.Second
	g.settle()
	g.members["b"].Each(func(it assign.Task) { g.idle[it] = true })
	delete(g.members, "b")
	if delay := g.settle(); delay != 0 {
		t.Errorf("delay %s for work that was put down", delay)
	}
	g.wantAll()
}

func TestPlanner_two_members_run_the_same(t *testing.T) {
	g := newGroup(t, 1, 1)
	both := assign.Work{Tasks: g.tasks}
	g.members["a"], g.members["b"] = both, both
	g.generation, g.decided = 7, 7 // another leader's
	g.settle()
	g.wantAll()
}

func TestPlanner_another_leader_before(t *testing.T) {
	g := newGroup(t, 2, 3, "a", "b")
	g.delay = 10 * time.Second
	g.settle()
	g.generation, g.decided = 20, 20 // others decided meanwhile
	g.members = map[string]assign.Work{"a": {}}
	if delay := g.settle(); delay != 0 {
		t.Errorf("delay %s for work that this leader knows nothing of", delay)
	}
	g.wantAll()
}

// TestPlanner_random has members and work come and go. Whatever happens, nothing runs twice, and in the end everything runs.
func TestPlanner_random(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		g := newGroup(t, 1+r.IntN(4), r.IntN(5), "a")
		g.delay = time.Duration(r.IntN(3)) * time.Second
		for range 20 {
			switch name := string(rune('a' + r.IntN(6))); r.IntN(4) {
			case 0:
				g.members[name+fmt.Sprint(r.IntN(2))] = assign.Work{}
			case 1:
				if names := slices.Sorted(maps.Keys(g.members)); len(names) > 1 {
					delete(g.members, names[r.IntN(len(names))])
				}
			case 2:
				if len(g.tasks) > 0 {
					g.tasks = slices.Delete(slices.Clone(g.tasks), 0, 1)
				}
			case 3:
				g.now = g.now.Add(time.Second)
			}
			g.meet()
		}
		g.settle()
		g.now = g.now.Add(time.Minute)
		g.settle()
		if total, per := g.count(); total != len(g.connectors)+len(g.tasks) {
			t.Fatalf("%d of %d run: %v", total, len(g.connectors)+len(g.tasks), per)
		}
	}
}
