package mirror

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"millrace/connectors"
)

// connector is what the three connectors have in common.
type connector struct {
	env     Environment
	context connectors.ConnectorContext
	log     connectors.Logger

	s        *settings
	from, to *client
	jobs     *jobs
}

// begin reads the configuration.
func (c *connector) begin(ctx connectors.ConnectorContext, def *connectors.ConfigDef, config map[string]string) (err error) {
	c.context, c.log = ctx, ctx.Logger()
	c.from, c.to, c.jobs = nil, nil, nil
	c.s, err = read(def, config)
	return err
}

// open makes the clients that manage the clusters; their ids begin with a role. Jobs may be given after it.
func (c *connector) open(role string, at ...side) (err error) {
	for _, where := range at {
		var made *client
		if made, err = c.env.admin(c.s, where, role+"-"+string(where)+"-admin"); err != nil {
			c.from.Close()
			c.to.Close()
			return err
		}
		if where == theSource {
			c.from = made
		} else {
			c.to = made
		}
	}
	c.jobs = newJobs(c.log, c.s.adminTimeout())
	return nil
}

// Stop may follow a failed Start.
func (c *connector) Stop() error {
	if c.jobs != nil {
		c.jobs.stop()
		c.from.Close()
		c.to.Close()
		c.jobs = nil
	}
	return nil
}

// finds are what the last look at the clusters has found: partitions or groups, in order.
type finds[T comparable] struct {
	looked chan struct{} // closed after the first look

	mu    sync.Mutex
	known []T
}

func newFinds[T comparable]() *finds[T] { return &finds[T]{looked: make(chan struct{})} }

// put takes what a look has found; it reports whether that is news.
func (f *finds[T]) put(found []T) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	same := slices.Equal(f.known, found)
	f.known = found
	select {
	case <-f.looked:
		return !same
	default:
		close(f.looked)
		return true
	}
}

func (f *finds[T]) get() []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

// patience is how long the first task configurations wait for the first look; then the runtime asks for them again.
const patience = 5 * time.Second

// await returns what was found, once there was a look. An error is worth trying again.
func (f *finds[T]) await(what string) ([]T, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.looked:
		return f.get(), nil
	case <-timer.C:
		return nil, &connectors.RetriableError{Err: fmt.Errorf("the %s are not known yet", what)}
	}
}
