package assign

import (
	"maps"
	"slices"
	"strings"
)

// A Task names a task of a connector.
type Task struct {
	Connector string
	ID        int
}

// Work is what one member runs; both lists are sorted.
type Work struct {
	Connectors []string
	Tasks      []Task
}

// Assign spreads connectors and tasks over members. Work stays where previous has it unless its member is gone or has more than
// its share; each member's share is the total divided by the number of members, rounded up for the first members. The
// result has an entry for each member, and none if there are no members.
func Assign(members []string, connectors []string, tasks []Task, previous map[string]Work) map[string]Work {
	members = slices.Compact(slices.Sorted(slices.Values(members)))
	if len(members) == 0 {
		return map[string]Work{}
	}
	oldConnectors, oldTasks := map[string][]string{}, map[string][]Task{}
	for m, w := range previous {
		oldConnectors[m], oldTasks[m] = w.Connectors, w.Tasks
	}
	byConnector := spread(members, connectors, oldConnectors, strings.Compare)
	byTask := spread(members, tasks, oldTasks, CompareTasks)
	result := make(map[string]Work, len(members))
	for _, m := range members {
		result[m] = Work{Connectors: byConnector[m], Tasks: byTask[m]}
	}
	return result
}

// CompareTasks orders by connector, then number.
func CompareTasks(a, b Task) int {
	if c := strings.Compare(a.Connector, b.Connector); c != 0 {
		return c
	}
	return a.ID - b.ID
}

func spread[T comparable](members []string, items []T, previous map[string][]T, compare func(a, b T) int) map[string][]T {
	items = slices.Compact(slices.SortedFunc(slices.Values(items), compare))
	free := make(map[T]bool, len(items))
	for _, it := range items {
		free[it] = true
	}
	kept := make(map[string][]T, len(members))
	for _, m := range members {
		for _, it := range slices.SortedFunc(slices.Values(previous[m]), compare) {
			if free[it] {
				delete(free, it)
				kept[m] = append(kept[m], it)
			}
		}
	}
	// The members that hold most may keep the larger shares: fewer items move.
	order := slices.Clone(members)
	slices.SortStableFunc(order, func(a, b string) int { return len(kept[b]) - len(kept[a]) })
	share, extra := len(items)/len(members), len(items)%len(members)
	shares := make(map[string]int, len(members))
	for i, m := range order {
		shares[m] = share
		if i < extra {
			shares[m]++
		}
		if over := len(kept[m]) - shares[m]; over > 0 {
			for _, it := range kept[m][shares[m]:] {
				free[it] = true
			}
			kept[m] = kept[m][:shares[m]]
		}
	}
	rest := slices.SortedFunc(maps.Keys(free), compare)
	for _, m := range members {
		n := min(shares[m]-len(kept[m]), len(rest))
		kept[m] = append(kept[m], rest[:n]...)
		rest = rest[n:]
		slices.SortFunc(kept[m], compare)
	}
	return kept
}
