package nats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"millrace/connectors"
	"millrace/connectors/internal/ack"
	"millrace/connectors/internal/retry"
)

const pollWait = time.Second

// Source is the source connector.
type Source struct {
	config map[string]string
	parsed sourceConfig
}

// Start checks the configuration; it opens no connection.
func (s *Source) Start(_ connectors.ConnectorContext, config map[string]string) (err error) {
	s.config = config
	s.parsed, err = parseSource(config)
	return err
}

// TaskConfigs returns maxTasks equal configurations: the tasks of a JetStream source share one durable consumer, those of a
// core source one queue group, so that each message reaches one of them.
func (s *Source) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = maps.Clone(s.config)
		configs[i][keyQueueGroup] = s.parsed.queueGroup
		if configs[i][keyQueueGroup] == "" && maxTasks > 1 {
			configs[i][keyQueueGroup] = s.config["name"]
		}
		if s.parsed.jetstream() && s.parsed.durable == "" {
			configs[i][keyDurable] = durableName(s.config["name"])
		}
	}
	return configs, nil
}

// durableName makes a legal consumer name of a connector's name.
func durableName(connector string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`.*>/\`, r) {
			return '_'
		}
		return r
	}, connector)
}

// NewTask returns a task that is not started.
func (s *Source) NewTask() connectors.SourceTask { return &sourceTask{} }

// Stop does nothing: the connector itself holds no connection.
func (s *Source) Stop() error { return nil }

// ExactlyOnceSupport says no: the position is the durable consumer's, not a source offset.
func (s *Source) ExactlyOnceSupport(map[string]string) (connectors.ExactlyOnceSupport, error) {
	return connectors.ExactlyOnceUnsupported, nil
}

// A sourceTask reads either from a durable consumer or from core subscriptions. nats.go reconnects by itself, for ever.
type sourceTask struct {
	retry.Peer
	cfg     sourceConfig
	log     connectors.Logger
	conn    *nats.Conn
	core    chan *nats.Msg
	stream  chan delivery
	tracker ack.Tracker[jetstream.Msg]
	reading jetstream.ConsumeContext // nil until the stream is there
	stop    chan struct{}            // closed when reading ends
	backoff retry.Backoff

	mu      sync.Mutex
	dropped int   // messages that the library dropped since the last look
	lost    error // why reading from the consumer ended
}

type delivery struct {
	msg    jetstream.Msg
	ticket ack.Ticket
}

func (t *sourceTask) Start(_ context.Context, tc connectors.SourceTaskContext, config map[string]string) (err error) {
	t.log = tc.Logger()
	if t.cfg, err = parseSource(config); err != nil {
		return err
	}
	t.conn, err = t.cfg.connection.dial(t.log, func(sub *nats.Subscription) {
		if n, err := sub.Dropped(); err == nil {
			t.mu.Lock()
			t.dropped = n
			t.mu.Unlock()
		}
	})
	if err != nil {
		return err
	}
	if !t.cfg.jetstream() {
		return t.subscribe()
	}
	t.stream = make(chan delivery, t.cfg.maxPoll)
	return nil
}

// subscribe makes the core subscriptions; nats.go keeps them over reconnects.
func (t *sourceTask) subscribe() error {
	t.core = make(chan *nats.Msg, t.cfg.maxPending)
	for _, subject := range t.cfg.subjects {
		var err error
		if t.cfg.queueGroup == "" {
			_, err = t.conn.ChanSubscribe(subject, t.core)
		} else {
			_, err = t.conn.ChanQueueSubscribe(subject, t.cfg.queueGroup, t.core)
		}
		if err != nil {
			return &connectors.ConfigError{Msg: fmt.Sprintf("%s: cannot subscribe to %q: %v", keySubject, subject, err)}
		}
	}
	return nil
}

// Poll returns what arrived, after at most about a second. A server or stream that is away is waited for.
func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	dropped, lost := t.notices()
	if dropped > 0 {
		t.log.Warn("dropped nats messages: records are not taken as fast as they arrive", "count", dropped)
	}
	if !t.cfg.jetstream() {
		now := time.Now().UnixMilli()
		return collect(ctx, t.core, t.cfg.maxPoll, func(m *nats.Msg) (connectors.SourceRecord, error) {
			return t.cfg.coreRecord(m, now), nil
		})
	}
	if lost != nil {
		return nil, t.failed(ctx, "lost the jetstream consumer, trying again", lost)
	}
	if t.reading == nil {
		if !t.backoff.Wait(ctx, pollWait) {
			return nil, nil
		}
		if err := t.bind(ctx); err != nil {
			return nil, t.failed(ctx, "cannot reach jetstream stream, trying again", err)
		}
		t.backoff.Reset()
		t.Found()
	}
	return collect(ctx, t.stream, t.cfg.maxPoll, t.cfg.streamRecord)
}

func (t *sourceTask) notices() (dropped int, lost error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dropped, lost = t.dropped, t.lost
	t.dropped, t.lost = 0, nil
	return dropped, lost
}

// collect waits for a first message, then takes what is there, up to limit.
func collect[M any](ctx context.Context, inbox <-chan M, limit int, record func(M) (connectors.SourceRecord, error)) ([]connectors.SourceRecord, error) {
	timer := time.NewTimer(pollWait)
	defer timer.Stop()
	var m M
	select {
	case m = <-inbox:
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, nil
	}
	records := make([]connectors.SourceRecord, 0, min(limit, 1+len(inbox)))
	for {
		r, err := record(m)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
		if len(records) == limit {
			return records, nil
		}
		select {
		case m = <-inbox:
		default:
			return records, nil
		}
	}
}

// failed decides what an error means: a mistake in the configuration fails the task, anything else is waited out.
func (t *sourceTask) failed(ctx context.Context, msg string, err error) error {
	if _, ok := errors.AsType[*connectors.ConfigError](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	t.unbind()
	t.Lost(err)
	t.log.Warn(msg, "servers", t.cfg.connection.redacted(), "retry_in", t.backoff.Failed(), "err", err)
	return nil
}

// bind finds the stream and creates the durable consumer, or takes the one that is there and leaves its position alone.
func (t *sourceTask) bind(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.connection.timeout)
	defer cancel()
	js, err := t.cfg.connection.jetStream(t.conn)
	if err != nil {
		return err
	}
	stream := t.cfg.stream
	if stream == "" {
		if stream, err = js.StreamNameBySubject(ctx, t.cfg.subjects[0]); err != nil {
			return fmt.Errorf("find the stream of subject %q: %w", t.cfg.subjects[0], err)
		}
	}
	consumer, err := js.Consumer(ctx, stream, t.cfg.durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = js.CreateConsumer(ctx, stream, t.cfg.consumer())
		if errors.Is(err, jetstream.ErrConsumerExists) { // another task was first
			consumer, err = js.Consumer(ctx, stream, t.cfg.durable)
		}
	}
	if err != nil {
		return fmt.Errorf("consumer %q of stream %q: %w", t.cfg.durable, stream, err)
	}
	if policy := consumer.CachedInfo().Config.AckPolicy; policy != jetstream.AckExplicitPolicy {
		return &connectors.ConfigError{Msg: fmt.Sprintf("%s: consumer %q of stream %q has ack policy %s, explicit is needed; name another one",
			keyDurable, t.cfg.durable, stream, policy)}
	}
	stop := make(chan struct{})
	receive := func(m jetstream.Msg) { t.receive(m, stop) }
	if t.reading, err = consumer.Consume(receive, jetstream.PullMaxMessages(t.cfg.maxPoll), jetstream.ConsumeErrHandler(t.consumeError)); err != nil {
		return fmt.Errorf("read from consumer %q of stream %q: %w", t.cfg.durable, stream, err)
	}
	t.stop = stop
	t.log.Info("reading from jetstream", "stream", stream, "consumer", t.cfg.durable)
	return nil
}

// receive runs on the library's goroutine. It blocks while the inbox is full: the server then sends no more.
func (t *sourceTask) receive(m jetstream.Msg, stop <-chan struct{}) {
	select {
	case t.stream <- delivery{m, t.tracker.Add(m)}:
	case <-stop:
	}
}

// consumeError notes the errors after which nothing comes any more; the others the library mends itself.
func (t *sourceTask) consumeError(_ jetstream.ConsumeContext, err error) {
	if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.lost = err
	}
}

func (t *sourceTask) unbind() {
	if t.reading != nil {
		close(t.stop)
		t.reading.Stop()
		<-t.reading.Closed()
		t.reading = nil
	}
}

// CommitRecords acknowledges, in the order of arrival, what the log has. An acknowledgement that gets lost makes the server
// deliver its message again.
func (t *sourceTask) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	for _, r := range records {
		if ticket, ok := r.Record.Handle.(ack.Ticket); ok {
			t.tracker.Done(ticket)
		}
	}
	failed := 0
	var last error
	for _, m := range t.tracker.Take() {
		if err := m.Ack(); err != nil {
			failed, last = failed+1, err
		}
	}
	if failed > 0 {
		t.log.Warn("acknowledgements not sent: their messages will come again", "count", failed, "err", last)
	}
	return nil
}

// Stop gives back what was not acknowledged, so that it does not have to wait for the ack wait to pass, and closes the
// connection.
func (t *sourceTask) Stop(ctx context.Context) error {
	if t.conn == nil {
		return nil
	}
	defer t.conn.Close()
	t.unbind()
	if !t.conn.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pollWait)
	defer cancel()
	// The server must know that nobody waits here any more, or it gives the first one back to us.
	if err := t.conn.FlushWithContext(ctx); err != nil {
		return err
	}
	for _, m := range t.tracker.Drain() {
		if err := m.Nak(); err != nil {
			break // the ack wait gives the rest back
		}
	}
	return t.conn.FlushWithContext(ctx)
}

var (
	_ connectors.Source               = (*Source)(nil)
	_ connectors.ExactlyOnceSupporter = (*Source)(nil)
	_ connectors.RecordCommitter      = (*sourceTask)(nil)
)
