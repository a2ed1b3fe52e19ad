package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/proc"
)

// A rewritten is a VerifiableSource whose configuration is written again and again, with kills in between. Its tasks number their
// records, so that a gap in its topic is a loss.
type rewritten struct {
	worker  *proc.Worker
	version int
	// before and after count what was there after a write that was cut off: the old configuration, or the new one.
	before, after int

	mu       sync.Mutex
	next     map[int]int // of each task, the number after its highest
	verified int
	gaps     int
	moved    chan struct{} // replaced when records came
}

const verifiable = "verifiable-source"

// versionConfig is one of the configurations; each differs from the others, and has one, two or three tasks.
func versionConfig(version int) map[string]string {
	return map[string]string{"name": verifiable, "connector.class": "VerifiableSourceConnector", "topic": "crash-verifiable", "tasks.max": strconv.Itoa(1 + version%3),
		"throughput": strconv.Itoa(500 + version), "key.converter": stringConverter, "value.converter": stringConverter}
}

func (v *rewritten) create(ctx context.Context) error {
	v.next, v.moved = make(map[int]int), make(chan struct{})
	if err := v.put(ctx, 0); err != nil {
		return err
	}
	return v.worker.Running(ctx, verifiable, 1)
}

func (v *rewritten) put(ctx context.Context, version int) error {
	body, err := json.Marshal(versionConfig(version))
	if err != nil {
		return err
	}
	_, err = v.worker.Do(ctx, http.MethodPut, "/connectors/"+verifiable+"/config", body)
	return err
}

// kill starts the worker, has it die while it writes the next configuration, and checks what it makes of that by itself.
func (v *rewritten) kill(ctx context.Context, point string, random *rand.Rand) error {
	w := v.worker
	w.Env = []string{"MILLRACE_KILL=" + point}
	if err := startWorker(ctx, w); err != nil {
		return err
	}
	// All of it runs, so that the write is the only one.
	if err := v.settled(ctx, v.version); err != nil {
		return err
	}
	answered := make(chan error, 1)
	go func() { answered <- v.put(ctx, v.version+1) }()
	if point == midWrite {
		time.Sleep(time.Duration(random.IntN(8000)) * time.Microsecond) // the moment is what is tested
		if err := w.Kill(); err != nil {
			return err
		}
	} else if err := w.Ended(ctx); err != nil {
		return errors.Join(err, w.Kill())
	}
	put := <-answered
	if err := w.Killed(); err != nil {
		return err
	}

	w.Env = nil
	if err := startWorker(ctx, w); err != nil {
		return err
	}
	config, err := v.config(ctx)
	if err != nil {
		return err
	}
	switch {
	case maps.Equal(config, versionConfig(v.version+1)):
		v.version++
		v.after++
	case put == nil || point != midWrite:
		return fmt.Errorf("the write is lost: %v", config)
	case !maps.Equal(config, versionConfig(v.version)):
		return fmt.Errorf("neither the configuration before nor the one after: %v", config)
	default:
		v.before++
	}
	if err := v.settled(ctx, v.version); err != nil {
		return err
	}
	return w.Kill()
}

func (v *rewritten) config(ctx context.Context) (config map[string]string, err error) {
	answer, err := v.worker.Do(ctx, http.MethodGet, "/connectors/"+verifiable+"/config", nil)
	if err != nil {
		return nil, err
	}
	return config, json.Unmarshal(answer, &config)
}

// settled waits until the tasks are those of a version, all run, and each has made new records. Task configurations of two versions
// side by side are an error at once.
func (v *rewritten) settled(ctx context.Context, version int) error {
	tasks := 1 + version%3
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := v.worker.Do(ctx, http.MethodGet, "/connectors/"+verifiable+"/tasks", nil)
		if err != nil {
			return err
		}
		var list []struct{ Config map[string]string }
		if err := json.Unmarshal(answer, &list); err != nil {
			return err
		}
		versions := make(map[string]bool)
		for _, t := range list {
			versions[t.Config["throughput"]] = true
		}
		if len(versions) > 1 {
			return fmt.Errorf("tasks of several configurations: %s", answer)
		}
		if len(list) == tasks && versions[versionConfig(version)["throughput"]] {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: the tasks are not those of the configuration: %s", context.Cause(ctx), answer)
		}
	}
	if err := v.worker.Running(ctx, verifiable, tasks); err != nil {
		return err
	}
	return v.progress(ctx, tasks)
}

// progress waits until each of the tasks has made a record that it had not made before.
func (v *rewritten) progress(ctx context.Context, tasks int) error {
	v.mu.Lock()
	before := maps.Clone(v.next)
	v.mu.Unlock()
	for {
		v.mu.Lock()
		moved, behind := v.moved, slices.ContainsFunc(indices(tasks), func(i int) bool { return v.next[i] <= before[i] })
		v.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("%w: a task makes no records", context.Cause(ctx))
		}
	}
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// collect reads the topic. A task goes on from an offset, or again from an older one: it never leaves a number out.
func (v *rewritten) collect(ctx context.Context) error {
	return readTopic(ctx, v.worker, "crash-verifiable", func(r *kgo.Record) error {
		task, err := strconv.Atoi(string(r.Key))
		if err != nil {
			return fmt.Errorf("a record that no task made: %q", r.Key)
		}
		seq, err := strconv.Atoi(string(r.Value))
		if err != nil {
			return fmt.Errorf("a record that no task made: %q", r.Value)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.gaps += max(0, seq-v.next[task]); seq >= v.next[task] {
			v.next[task] = seq + 1
			v.verified++
		}
		close(v.moved)
		v.moved = make(chan struct{})
		return nil
	})
}

func (v *rewritten) count() (verified, gaps int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.verified, v.gaps
}
