package activemq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"millrace/connectors"
	"millrace/connectors/internal/retry"
)

// authTries is how often refused credentials are tried: brokers answer that while they start, and secrets are rotated.
const authTries = 3

// goodbyeTime is how long a broker may take to confirm DISCONNECT.
const goodbyeTime = 5 * time.Second

// A link keeps one session with one of the brokers, as a failover transport does. A task waits for the session; a broker that
// is away is never the task's failure, unless the URI limits the attempts.
type link struct {
	failover failover
	dialer   *dialer
	log      connectors.Logger
	retry    time.Duration // how long the brokers may be away; 0 is for ever
	peer     *retry.Peer   // hears whether a broker answers
	// setup prepares a new session: it subscribes.
	setup func(*session) error

	mu      sync.Mutex
	current *session
	err     error         // final
	changed chan struct{} // closed and replaced when current or err change
}

// newLink returns a link that holds up to ahead messages that were not taken yet.
func newLink(c *connection, clientID string, ahead int, peer *retry.Peer, log connectors.Logger) *link {
	return &link{
		failover: c.failover, retry: c.retry, peer: peer, log: log,
		dialer: &dialer{config: c, log: log, clientID: clientID, ahead: ahead, stompPort: make(map[string]int)},
	}
}

// run connects, and connects again, until ctx ends or it cannot go on; session returns the error then.
func (l *link) run(ctx context.Context) {
	failures := failureCount{began: time.Now()}
	connected := false // ever
	for ctx.Err() == nil {
		s, err := l.round(ctx)
		if err == nil {
			l.log.Info("connected to broker", "broker", s.endpoint.String(), "server", s.server)
			l.publish(s, nil)
			l.peer.Found()
			connected = true
			began := time.Now()
			err = l.watch(ctx, s)
			l.publish(nil, nil)
			goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
			s.disconnect(goodbye)
			cancel()
			if ctx.Err() != nil {
				return
			}
			failures.lost(time.Since(began))
			l.log.Warn("broker lost; reconnecting", "broker", s.endpoint.String(), "err", err)
		}
		if ctx.Err() != nil {
			return
		}
		failures.add(err)
		l.peer.Lost(err)
		if final := l.final(&failures, connected, err); final != nil {
			l.publish(nil, final)
			return
		}
		if failures.rounds == 1 || l.failover.warnAfter > 0 && failures.rounds%l.failover.warnAfter == 0 {
			l.log.Warn("no broker answers; trying again", "attempts", failures.rounds, "err", err)
		}
		sleep(ctx, l.delay(failures.rounds+failures.brief))
	}
}

// round tries each endpoint once.
func (l *link) round(ctx context.Context) (*session, error) {
	endpoints := l.failover.endpoints
	if l.failover.randomize {
		endpoints = slices.Clone(endpoints)
		rand.Shuffle(len(endpoints), func(i, j int) { endpoints[i], endpoints[j] = endpoints[j], endpoints[i] })
	}
	if l.failover.priorityBackup {
		endpoints = slices.Clone(endpoints)
		slices.SortStableFunc(endpoints, func(a, b endpoint) int { return l.rank(a) - l.rank(b) })
	}
	var errs []error
	for _, e := range endpoints {
		s, err := l.open(ctx, e)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func (l *link) rank(e endpoint) int {
	if l.failover.preferred(e) {
		return 0
	}
	return 1
}

func (l *link) open(ctx context.Context, e endpoint) (*session, error) {
	s, err := l.dialer.dial(ctx, e)
	if err != nil {
		return nil, err
	}
	if l.setup != nil {
		if err := l.setup(s); err != nil {
			s.close(err)
			return nil, err
		}
	}
	return s, nil
}

// watch returns when s has ended, with the reason. With priorityBackup it ends s itself once a better broker answers.
func (l *link) watch(ctx context.Context, s *session) error {
	var better <-chan time.Time
	if l.failover.priorityBackup && !l.failover.preferred(s.endpoint) {
		ticker := time.NewTicker(max(l.failover.maxDelay, time.Second))
		defer ticker.Stop()
		better = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.done:
			return s.err
		case <-better:
			if l.betterAnswers(ctx) {
				return errors.New("a broker of higher priority is back")
			}
		}
	}
}

func (l *link) betterAnswers(ctx context.Context) bool {
	probe := *l.dialer
	probe.clientID = "" // which the current session has
	for _, e := range l.failover.endpoints {
		if !l.failover.preferred(e) {
			continue
		}
		if s, err := probe.dial(ctx, e); err == nil {
			s.disconnect(ctx)
			return true
		}
	}
	return false
}

// final returns the error that ends the link, nil if trying again may help.
func (l *link) final(f *failureCount, connected bool, err error) error {
	limit := l.failover.maxAttempts
	if !connected && l.failover.startupAttempts >= 0 {
		limit = l.failover.startupAttempts
	}
	kind, refused := kindOf(err)
	switch {
	case refused && kind == refusedAuth && f.auth >= authTries:
		return &connectors.ConfigError{Msg: fmt.Sprintf("activemq.user, activemq.password: refused: %v", err)}
	case refused && kind == refusedConfig:
		return &connectors.ConfigError{Msg: fmt.Sprintf("activemq.destination, activemq.selector: %v", err)}
	case refused && kind == refusedProtocol && !connected:
		return &connectors.ConfigError{Msg: fmt.Sprintf("activemq.server_uris: %v", err)}
	case limit >= 0 && f.rounds > limit:
		return fmt.Errorf("activemq.server_uris allows %d reconnect attempts, which all failed: %w", limit, err)
	case l.retry > 0 && time.Since(f.began) > l.retry:
		return fmt.Errorf("no broker answered for max.retry.time.ms=%d: %w", l.retry.Milliseconds(), err)
	}
	return nil
}

// delay is how long to wait before round n+1: between nothing and the back-off, so that many tasks do not come at once.
func (l *link) delay(n int) time.Duration {
	d := float64(l.failover.initialDelay)
	for range n - 1 {
		if d *= l.failover.exponent; d >= float64(l.failover.maxDelay) {
			d = float64(l.failover.maxDelay)
			break
		}
	}
	if l.failover.exponent == 1 || n <= 1 {
		return time.Duration(d)
	}
	return time.Duration(d/2 + rand.Float64()*d/2)
}

// settled is how long a session must last for what was before it to be forgotten: a broker that accepts a connection and then ends it
// is not asked again at once, and some refusals come after the session began.
const settled = 10 * time.Second

// failureCount counts rounds without a connection.
type failureCount struct {
	began  time.Time
	rounds int // since the last session
	brief  int // sessions in a row that did not last
	auth   int // refusals of the credentials
}

// lost notes the end of a session.
func (f *failureCount) lost(lasted time.Duration) {
	f.began, f.rounds = time.Now(), 0
	if lasted >= settled {
		f.brief, f.auth = 0, 0
		return
	}
	f.brief++
}

func (f *failureCount) add(err error) {
	f.rounds++
	if kind, ok := kindOf(err); ok && kind == refusedAuth {
		f.auth++
	}
}

func (l *link) publish(s *session, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.err = s, err
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// session returns the current session, waiting for one at most d. It returns nil if there is none by then or ctx ends.
func (l *link) session(ctx context.Context, d time.Duration) (*session, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		l.mu.Lock()
		s, err := l.current, l.err
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if s != nil {
			select {
			case <-s.done: // run has not noticed yet
			default:
				return s, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil
		case <-timer.C:
			return nil, nil
		}
	}
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
