package runtime

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/runtime/state"
)

func TestDecide(t *testing.T) {
	all := func(int) bool { return true }
	base := wanted{exists: true, configOffset: 7, target: state.TargetStarted, tasks: 2, tasksOffset: 9, ownsConnector: true, ownsTask: all, leader: true}
	running := observed{
		running: true, configOffset: 7, target: state.TargetStarted, known: []int{0, 1},
		tasks: map[int]observedTask{0: {tasksOffset: 9}, 1: {tasksOffset: 9}},
	}
	with := func(w wanted, f func(*wanted)) wanted { f(&w); return w }
	tests := []struct {
		name string
		w    wanted
		o    observed
		want plan
	}{
		{"nothing changes", base, running, plan{}},
		{"first start", base, observed{}, plan{startConnector: true, startTasks: []int{0, 1}}},
		{"new configuration touches the connector only", with(base, func(w *wanted) { w.configOffset = 8 }), running,
			plan{stopConnector: true, startConnector: true}},
		{"new tasks", with(base, func(w *wanted) { w.tasksOffset, w.tasks = 12, 3 }), running,
			plan{stopTasks: []int{0, 1}, startTasks: []int{0, 1, 2}}},
		{"fewer tasks", with(base, func(w *wanted) { w.tasksOffset, w.tasks = 12, 1 }), running,
			plan{stopTasks: []int{0, 1}, forgetTasks: []int{1}, startTasks: []int{0}}},
		{"pause", with(base, func(w *wanted) { w.target = state.TargetPaused }), running,
			plan{transition: true, setPaused: []int{0, 1}, paused: true}},
		{"stop", with(base, func(w *wanted) { w.target, w.tasks, w.tasksOffset = state.TargetStopped, 0, 12 }), running,
			plan{transition: true, stopTasks: []int{0, 1}, forgetTasks: []int{0, 1}, paused: true}},
		{"delete", wanted{leader: true, ownsTask: all}, running,
			plan{stopConnector: true, stopTasks: []int{0, 1}, forgetTasks: []int{0, 1}, forget: true, paused: true}},
		{"a failed connector stays failed when resumed", base,
			observed{running: true, configOffset: 7, target: state.TargetPaused, failed: true, tasks: running.tasks}, plan{}},
		{"a task that moves away stops alone", with(base, func(w *wanted) { w.ownsTask = func(id int) bool { return id == 0 } }), running,
			plan{stopTasks: []int{1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, decide(tt.w, tt.o), cmp.AllowUnexported(plan{})); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}
