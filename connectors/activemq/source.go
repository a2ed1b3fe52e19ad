package activemq

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"millrace/connectors"
	"millrace/connectors/internal/retry"
)

// source is the source connector. The tasks of a queue compete for its messages; a topic has one task.
type source struct {
	config map[string]string
	parsed *sourceConfig
	log    connectors.Logger
}

var (
	_ connectors.Source               = (*source)(nil)
	_ connectors.ConfigValidator      = (*source)(nil)
	_ connectors.ExactlyOnceSupporter = (*source)(nil)
)

func (s *source) Start(ctx connectors.ConnectorContext, config map[string]string) error {
	parsed, err := parseSource(config)
	if err != nil {
		return err
	}
	s.config, s.parsed, s.log = config, parsed, ctx.Logger()
	parsed.describe(s.log)
	if _, ok := config["topics"]; ok {
		s.log.Info("topics is taken as the topic to write to; a source's own key for it is topic", "topic", parsed.topic.String())
	}
	return nil
}

func (s *source) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	if s.parsed.destination.topic && maxTasks > 1 {
		s.log.Warn("every subscriber of a topic gets all its messages, so one task reads it; "+
			"the consumer queue of a virtual topic can be shared", "destination", s.parsed.destination.stomp(), "tasks.max", maxTasks)
		maxTasks = 1
	}
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = s.config
	}
	return configs, nil
}

func (s *source) NewTask() connectors.SourceTask { return new(sourceTask) }

func (s *source) Stop() error { return nil }

// ValidateConfig adds what only several keys together show.
func (s *source) ValidateConfig(config map[string]string, values []*connectors.ConfigValue) {
	_, err := parseSource(config)
	addError(values, err)
}

// ExactlyOnceSupport is not given: a queue has no positions to go back to.
func (s *source) ExactlyOnceSupport(map[string]string) (connectors.ExactlyOnceSupport, error) {
	return connectors.ExactlyOnceUnsupported, nil
}

const pollTime = time.Second

// sourceTask is one consumer.
type sourceTask struct {
	retry.Peer
	config *sourceConfig
	link   *link
	window *window
	log    connectors.Logger
	cancel context.CancelFunc
	wg     sync.WaitGroup
	warned bool // of an empty message
}

var _ connectors.RecordCommitter = (*sourceTask)(nil)

func (t *sourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	parsed, err := parseSource(config)
	if err != nil {
		return err
	}
	t.config, t.log, t.window = parsed, tc.Logger(), newWindow()
	clientID := parsed.clientID
	switch {
	case clientID != "" && tc.TaskID() > 0:
		clientID += "-" + strconv.Itoa(tc.TaskID())
	case clientID == "" && parsed.subscription != "":
		clientID = tc.ConnectorName()
	}
	t.link = newLink(parsed.connection, clientID, parsed.prefetch, &t.Peer, t.log)
	t.link.setup = t.subscribe
	ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	t.wg.Go(func() { t.link.run(ctx) })
	return nil
}

// subscribe asks for messages. A refusal comes as an ERROR frame later: a receipt of SUBSCRIBE would tell, but makes ActiveMQ start
// with a prefetch of 0, and a message that comes before it is raised lies there until the queue's next check, up to 30 seconds.
func (t *sourceTask) subscribe(s *session) error {
	c := t.config
	ack := "client"
	if c.individual {
		ack = "client-individual"
	}
	f := frame.New(frame.SUBSCRIBE, frame.Id, "1", frame.Destination, c.destination.stomp(), frame.Ack, ack,
		"activemq.prefetchSize", strconv.Itoa(c.prefetch))
	if c.selector != "" {
		f.Header.Add("selector", c.selector)
	}
	if c.subscription != "" {
		f.Header.Add("activemq.subscriptionName", c.subscription)
		f.Header.Add("durable-subscription-name", c.subscription)
	}
	if c.exclusive {
		f.Header.Add("activemq.exclusive", "true")
	}
	if c.transform != "" {
		f.Header.Add("transformation", c.transform)
	}
	if s.artemis {
		addressArtemis(f, "subscription-type")
		// Artemis counts bytes, and takes the prefetch for bytes too.
		f.Header.Add("consumer-window-size", strconv.Itoa(min(c.prefetch*4096, 8<<20)))
		f.Header.Del("activemq.prefetchSize")
	}
	return s.write(f)
}

func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	s, err := t.link.session(ctx, pollTime)
	if s == nil || err != nil {
		return nil, err
	}
	timer := time.NewTimer(pollTime)
	defer timer.Stop()
	room := t.config.maxPending - t.window.size(s)
	for room <= 0 {
		select {
		case <-t.window.room:
			room = t.config.maxPending - t.window.size(s)
		case <-s.done:
			return nil, nil
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, nil
		}
	}
	frames := t.gather(ctx, s, timer.C, min(room, t.config.batchSize))
	if len(frames) == 0 {
		return nil, nil
	}
	return t.batch(s, frames)
}

// gather takes up to limit messages: what is there, at once while nothing is pending. While something is, a few messages wait for
// more of them, or for the log to have all that is pending: each batch costs the log a sync and the broker an
// acknowledgement, so many small ones would slow both down, and this one would not be in the log sooner.
func (t *sourceTask) gather(ctx context.Context, s *session, end <-chan time.Time, limit int) []*frame.Frame {
	enough := min(limit, t.config.together())
	var frames []*frame.Frame
	for {
		select {
		case f := <-s.messages:
			n := min(limit-len(frames), 1+len(s.messages)) // only we take from it
			frames = append(slices.Grow(frames, n), f)
			for range n - 1 {
				frames = append(frames, <-s.messages)
			}
		case <-t.window.room:
		case <-s.done:
			return nil // delivered again
		case <-end:
			return frames
		case <-ctx.Done():
			return frames
		}
		if len(frames) >= enough || len(frames) > 0 && t.window.size(s) == 0 {
			return frames
		}
	}
}

// batch makes records of messages.
func (t *sourceTask) batch(s *session, frames []*frame.Frame) ([]connectors.SourceRecord, error) {
	records := make([]connectors.SourceRecord, len(frames))
	deliveries := make([]delivery, len(frames))
	now := time.Now().UnixMilli()
	for i, f := range frames {
		if err := t.convert(&records[i], f, now); err != nil {
			return nil, err
		}
		deliveries[i] = delivery{session: s, ack: f.Header.Get(frame.Ack)}
		records[i].Handle = &deliveries[i]
	}
	t.window.add(s, deliveries)
	return records, nil
}

// CommitRecords acknowledges to the broker what the log has.
func (t *sourceTask) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	var frames []*frame.Frame
	s, last := t.window.done(func(mark func(*delivery)) {
		for i := range records {
			d, ok := records[i].Record.Handle.(*delivery)
			if !ok {
				continue
			}
			mark(d)
			if d.done && t.config.individual {
				frames = append(frames, frame.New(frame.ACK, frame.Id, d.ack))
			}
		}
	})
	if !t.config.individual && last != "" {
		frames = append(frames, frame.New(frame.ACK, frame.Id, last))
	}
	if len(frames) > 0 {
		// A lost connection is the link's concern: the broker delivers these messages again.
		_ = s.write(frames...)
	}
	return nil
}

// Stop says good-bye to the broker, which handles the acknowledgements sent before it first.
func (t *sourceTask) Stop(context.Context) error {
	if t.cancel != nil {
		t.cancel()
		t.wg.Wait()
	}
	return nil
}
