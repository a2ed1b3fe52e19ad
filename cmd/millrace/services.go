package main

import (
	"context"
	"errors"
	"fmt"
)

// services are what a process runs, in the order it was started; it is stopped in the other order, each only when what was
// started after it has ended.
type services struct {
	list  []*service
	ended chan *service // gets each service that ends
}

type service struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // set when done is closed
}

// start runs a service. It does not end with ctx, whose values it has, but when its turn to stop comes.
func (s *services) start(ctx context.Context, name string, run func(context.Context) error) {
	if s.ended == nil {
		s.ended = make(chan *service, maxServices)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	one := &service{name: name, cancel: cancel, done: make(chan struct{})}
	s.list = append(s.list, one)
	go func() {
		one.err = run(ctx)
		close(one.done)
		s.ended <- one
	}()
}

// maxServices bounds how many a process starts, so that none waits to report its end.
const maxServices = 8

// await waits for ready. It fails if ctx ends or a service does.
func (s *services) await(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case one := <-s.ended:
		if one.err != nil {
			return one.err
		}
		return fmt.Errorf("the %s ended", one.name)
	}
}

// stop ends all services and returns what they failed with.
func (s *services) stop() error {
	var errs []error
	for i := len(s.list) - 1; i >= 0; i-- {
		one := s.list[i]
		one.cancel()
		<-one.done
		if one.err != nil && !errors.Is(one.err, context.Canceled) {
			errs = append(errs, one.err)
		}
	}
	return errors.Join(errs...)
}
