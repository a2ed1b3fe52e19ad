package mirror

import (
	"context"
	"sync"
	"time"

	"millrace/connectors"
)

// jobs is what a connector or task does at intervals, beside everything else, until it is stopped.
type jobs struct {
	ctx  context.Context
	end  context.CancelFunc
	wait sync.WaitGroup
	log  connectors.Logger
	// timeout bounds one round of a job.
	timeout time.Duration
}

func newJobs(log connectors.Logger, timeout time.Duration) *jobs {
	j := &jobs{log: log, timeout: timeout}
	j.ctx, j.end = context.WithCancel(context.Background())
	return j
}

// The waits after a round that failed.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// every does something after first, and then at intervals; with an interval of 0 only until it has worked once. What fails is tried again
// sooner.
func (j *jobs) every(first, interval time.Duration, what string, do func(context.Context) error) {
	j.wait.Go(func() {
		retry := firstRetry
		for wait := first; ; {
			if !sleep(j.ctx, wait) {
				return
			}
			ctx, cancel := context.WithTimeout(j.ctx, j.timeout)
			err := do(ctx)
			cancel()
			switch {
			case j.ctx.Err() != nil:
				return
			case err == nil && interval == 0:
				return
			case err == nil:
				wait, retry = interval, firstRetry
			default:
				wait = retry
				if interval > 0 {
					wait = min(wait, interval)
				}
				retry = min(2*retry, lastRetry)
				j.log.Warn("work on the clusters failed, trying again", "work", what, "wait", wait, "err", err)
			}
		}
	})
}

// stop returns when no job runs any more.
func (j *jobs) stop() {
	j.end()
	j.wait.Wait()
}

// sleep waits; false: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// untilMillis is the time left until a deadline, as a request has it.
func untilMillis(deadline time.Time) int32 {
	return int32(min(max(time.Until(deadline), time.Second), time.Hour).Milliseconds())
}
