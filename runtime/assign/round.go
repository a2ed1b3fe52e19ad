package assign

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Round is what the leader of a group knows when the group decides.
type Round struct {
	// Decided is the last generation whose decision the group has taken: if another leader made it, nothing is remembered.
	Decided    int32
	Generation int32
	// Members have the work that they run now, Places where each of them answers: a worker that comes back is known by it.
	Members    map[string]Work
	Places     map[string]string
	Connectors []string
	Tasks      []Task
	Now        time.Time
	// MaxDelay is how long the work of a lost member waits for its return.
	MaxDelay time.Duration
	// Idle reports whether work (task -1: the connector) of a lost member need not wait, since its member has put it down. May be nil.
	Idle func(Task) bool
}

// A Change is what a round changes for a member: Revoked is to be stopped, and given to others in the next round.
type Change struct{ Assigned, Revoked Work }

// A Planner decides for a group round by round, as its leader. What nobody runs it gives away at once, except work of a lost member, which
// waits for its return; what runs moves only if its member has more than its share. The zero Planner is ready.
type Planner struct {
	generation int32
	// previous is what each member should run since the last round, places where it answers.
	previous map[string]Work
	places   map[string]string
	// waiting is work of lost members, with the place of the one that had it, until due.
	waiting map[Task]string
	due     time.Time
}

// itself stands for the connector among its tasks.
const itself = -1

// Plan decides a round. delay, if not zero, is when the group should meet again.
func (p *Planner) Plan(r Round) (changes map[string]Change, delay time.Duration) {
	if r.Decided != p.generation {
		p.previous, p.places, p.waiting = nil, nil, nil
	}
	p.generation = r.Generation
	configured := itemsOf(Work{Connectors: r.Connectors, Tasks: r.Tasks})
	members := slices.Sorted(maps.Keys(r.Members))

	// What a member runs and may go on running. Of what two members run, the first keeps it.
	kept, revoked := make(map[string]map[Task]bool), make(map[string]map[Task]bool)
	active := make(map[Task]bool)
	for _, m := range members {
		kept[m], revoked[m] = make(map[Task]bool), make(map[Task]bool)
		for it := range itemsOf(r.Members[m]) {
			if configured[it] && !active[it] {
				active[it], kept[m][it] = true, true
			} else {
				revoked[m][it] = true
			}
		}
	}
	back, delay := p.await(r, configured, active)

	assigned := make(map[string]map[Task]bool)
	free := make([]Task, 0, len(configured))
	for it := range configured {
		if _, waits := p.waiting[it]; !waits && !active[it] {
			free = append(free, it)
		}
	}
	slices.SortFunc(free, CompareTasks)
	for _, m := range members {
		assigned[m] = make(map[Task]bool)
	}
	free = slices.DeleteFunc(free, func(it Task) bool {
		m, ok := back[it]
		if ok {
			assigned[m][it] = true
		}
		return ok
	})
	if len(p.waiting) > 0 {
		place(members, free, kept, assigned)
	} else {
		balance(r, kept, assigned, revoked, active)
	}

	changes = make(map[string]Change, len(members))
	p.previous, p.places = make(map[string]Work, len(members)), maps.Clone(r.Places)
	for _, m := range members {
		changes[m] = Change{Assigned: workOf(assigned[m]), Revoked: workOf(revoked[m])}
		maps.Copy(kept[m], assigned[m])
		p.previous[m] = workOf(kept[m])
	}
	return changes, delay
}

// await sorts out which work waits for its lost member. back is what goes to a member since it comes from the same place.
func (p *Planner) await(r Round, configured, active map[Task]bool) (back map[Task]string, delay time.Duration) {
	gone := false
	for m, w := range p.previous {
		if _, here := r.Members[m]; here {
			continue // what it does not run, it was never told of
		}
		for it := range itemsOf(w) {
			if configured[it] && !active[it] && (r.Idle == nil || !r.Idle(it)) {
				if p.waiting == nil {
					p.waiting = make(map[Task]string)
				}
				p.waiting[it], gone = p.places[m], true
			}
		}
	}
	byPlace := make(map[string]string, len(r.Members))
	for m := range r.Members {
		if place := r.Places[m]; place != "" {
			byPlace[place] = m
		}
	}
	back = make(map[Task]string)
	maps.DeleteFunc(p.waiting, func(it Task, place string) bool {
		if !configured[it] || active[it] || r.Idle != nil && r.Idle(it) {
			return true
		}
		m, here := byPlace[place]
		if here {
			back[it] = m
		}
		return here
	})
	if gone && p.due.IsZero() {
		p.due = r.Now.Add(r.MaxDelay)
	}
	if len(p.waiting) == 0 || !r.Now.Before(p.due) {
		p.waiting, p.due = nil, time.Time{}
		return back, 0
	}
	return back, p.due.Sub(r.Now)
}

// place gives free work to the members that have least, and takes nothing from anybody.
func place(members []string, free []Task, kept, assigned map[string]map[Task]bool) {
	for _, kind := range []bool{true, false} { // connectors, then tasks
		load := make(map[string]int)
		for _, m := range members {
			for _, items := range []map[Task]bool{kept[m], assigned[m]} {
				for it := range items {
					if (it.ID == itself) == kind {
						load[m]++
					}
				}
			}
		}
		for _, it := range free {
			if (it.ID == itself) != kind {
				continue
			}
			least := slices.MinFunc(members, func(a, b string) int { return load[a] - load[b] })
			assigned[least][it] = true
			load[least]++
		}
	}
}

// balance gives each member its share: free work at once, what another member runs when that has stopped it.
func balance(r Round, kept, assigned, revoked map[string]map[Task]bool, active map[Task]bool) {
	now := make(map[string]Work, len(kept))
	for m := range kept {
		all := maps.Clone(kept[m])
		maps.Copy(all, assigned[m])
		now[m] = workOf(all)
	}
	target := Assign(slices.Collect(maps.Keys(kept)), r.Connectors, r.Tasks, now)
	for m := range kept {
		want := itemsOf(target[m])
		for it := range kept[m] {
			if !want[it] {
				delete(kept[m], it)
				revoked[m][it] = true
			}
		}
		assigned[m] = make(map[Task]bool)
		for it := range want {
			if !active[it] {
				assigned[m][it] = true
			}
		}
	}
}

// itemsOf returns connectors and tasks as one set; a connector has the number itself.
func itemsOf(w Work) map[Task]bool {
	items := make(map[Task]bool, len(w.Connectors)+len(w.Tasks))
	for _, c := range w.Connectors {
		items[Task{c, itself}] = true
	}
	for _, t := range w.Tasks {
		items[t] = true
	}
	return items
}

func workOf(items map[Task]bool) Work {
	var w Work
	for it := range items {
		if it.ID == itself {
			w.Connectors = append(w.Connectors, it.Connector)
		} else {
			w.Tasks = append(w.Tasks, it)
		}
	}
	slices.SortFunc(w.Connectors, strings.Compare)
	slices.SortFunc(w.Tasks, CompareTasks)
	return w
}

// Apply returns w as it is after a change.
func (c Change) Apply(w Work) Work {
	items := itemsOf(w)
	for it := range itemsOf(c.Revoked) {
		delete(items, it)
	}
	maps.Copy(items, itemsOf(c.Assigned))
	return workOf(items)
}

// Empty reports whether w has neither connectors nor tasks.
func (w Work) Empty() bool { return len(w.Connectors)+len(w.Tasks) == 0 }

// Each calls f for all of w; a connector has the number -1.
func (w Work) Each(f func(Task)) {
	for _, c := range w.Connectors {
		f(Task{c, itself})
	}
	for _, t := range w.Tasks {
		f(t)
	}
}
