package main

import (
	"context"
	"fmt"
	"time"
)

// idle measures the time from start to the first REST answer, and the memory of a worker with nothing to do.
func (b *bench) idle(ctx context.Context) error {
	s, err := b.median(ctx, func(ctx context.Context, _ int) (sample, error) {
		begin := time.Now()
		w, stop, err := b.start(ctx)
		if err != nil {
			return sample{}, err
		}
		defer stop()
		s := sample{took: time.Since(begin)}
		select {
		case <-time.After(3 * time.Second): // what starting needed is given back to the system by then
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
		if s.server, err = w.CPU(); err != nil {
			return s, err
		}
		s.rss, err = w.RSS()
		return s, err
	})
	if err != nil {
		return err
	}
	b.add(row{name: "start to first REST answer, then idle", rate: fmt.Sprintf("%d ms", s.took.Milliseconds()), server: s.server, per: "start and 3 s", rss: s.rss})
	return nil
}
