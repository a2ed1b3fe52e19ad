package runtime

import (
	"maps"
	"slices"

	"millrace/runtime/state"
)

// observed is what this worker runs of a connector.
type observed struct {
	// running is whether there is a connector instance, also a failed or paused one, made from the record at configOffset.
	running      bool
	configOffset int64
	target       state.Target
	failed       bool
	// tasks are by number.
	tasks map[int]observedTask
	// known are the tasks that have a status, run here or not.
	known []int
}

type observedTask struct {
	// tasksOffset is the commit record that the task was started from.
	tasksOffset int64
	paused      bool
}

// wanted is what the config topic and the assignment say of a connector.
type wanted struct {
	exists       bool
	configOffset int64
	target       state.Target
	tasks        int
	tasksOffset  int64
	// ownsConnector and ownsTask say what is assigned to this worker; leader removes statuses of what is gone.
	ownsConnector bool
	ownsTask      func(int) bool
	leader        bool
}

// A plan is what to do, in the order of its fields.
type plan struct {
	stopConnector  bool
	startConnector bool
	// transition brings a connector that stays to another target state.
	transition bool
	stopTasks  []int
	// forgetTasks lose their status, forget the connector does, with everything that is known of it.
	forgetTasks []int
	forget      bool
	setPaused   []int
	startTasks  []int
	paused      bool
}

// decide compares what is wanted with what runs. It touches only what differs: a task that stays is not in the plan.
func decide(w wanted, o observed) plan {
	p := plan{paused: w.target != state.TargetStarted}
	keep := w.exists && w.ownsConnector
	p.stopConnector = o.running && (!keep || o.configOffset != w.configOffset)
	p.startConnector = keep && (!o.running || p.stopConnector)
	// A failed instance can only be stopped; other targets come with its restart.
	p.transition = keep && !p.startConnector && o.target != w.target && (!o.failed || w.target == state.TargetStopped)
	for id := range w.tasks {
		if !w.exists || !w.ownsTask(id) {
			continue
		}
		t, running := o.tasks[id]
		switch {
		case !running:
			p.startTasks = append(p.startTasks, id)
		case t.tasksOffset != w.tasksOffset:
			p.stopTasks = append(p.stopTasks, id)
			p.startTasks = append(p.startTasks, id)
		case t.paused != p.paused:
			p.setPaused = append(p.setPaused, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.tasks)) {
		if !w.exists || id >= w.tasks || !w.ownsTask(id) {
			p.stopTasks = append(p.stopTasks, id)
		}
	}
	slices.Sort(p.stopTasks)
	if w.leader {
		for _, id := range o.known {
			if !w.exists || id >= w.tasks {
				p.forgetTasks = append(p.forgetTasks, id)
			}
		}
		p.forget = !w.exists
	}
	return p
}
