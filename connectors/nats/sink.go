package nats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"millrace/connectors"
	"millrace/connectors/internal/payload"
	"millrace/connectors/internal/retry"
)

// Sink is the sink connector. All tasks have the same work: the partitions of the topics are spread by the group.
type Sink struct{ config map[string]string }

// Start checks the configuration; it opens no connection.
func (s *Sink) Start(_ connectors.ConnectorContext, config map[string]string) error {
	s.config = config
	_, err := parseSink(config)
	return err
}

// TaskConfigs returns maxTasks equal configurations.
func (s *Sink) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = maps.Clone(s.config)
	}
	return configs, nil
}

// NewTask returns a task that is not started.
func (s *Sink) NewTask() connectors.SinkTask { return &sinkTask{} }

// Stop does nothing: the connector itself holds no connection.
func (s *Sink) Stop() error { return nil }

// A sinkTask publishes each batch and waits for the server within Put, so Flush has nothing left to do.
type sinkTask struct {
	retry.Peer
	cfg     sinkConfig
	log     connectors.Logger
	tc      connectors.SinkTaskContext
	conn    *nats.Conn
	js      jetstream.JetStream
	backoff retry.Backoff
	// confirmed is the next offset to publish of each partition while a batch is only partly confirmed: it comes again.
	confirmed map[connectors.TopicPartition]int64
	failing   time.Time // since when, zero if not
}

func (t *sinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) (err error) {
	t.log = tc.Logger()
	t.tc = tc
	t.confirmed = make(map[connectors.TopicPartition]int64)
	if t.cfg, err = parseSink(config); err != nil {
		return err
	}
	if t.conn, err = t.cfg.connection.dial(t.log, nil); err != nil {
		return err
	}
	if t.cfg.mode == modeJetStream {
		t.js, err = t.cfg.connection.jetStream(t.conn, jetstream.WithPublishAsyncTimeout(t.cfg.ackTimeout))
	}
	return err
}

// Put publishes records in order and returns when the server has them all. A failure is retriable; when the batch comes
// again it continues from the first record that was not confirmed.
func (t *sinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	if len(records) == 0 {
		return nil
	}
	if !t.backoff.Wait(ctx, pollWait) {
		return &connectors.RetriableError{Err: errors.New("waiting to try the nats server again")}
	}
	err := t.put(ctx, records)
	if err == nil {
		clear(t.confirmed)
		t.backoff.Reset()
		t.failing = time.Time{}
		t.Found()
		return nil
	}
	if !connectors.Retriable(err) {
		return err
	}
	t.Lost(err)
	if t.failing.IsZero() {
		t.failing = time.Now()
		t.log.Warn("cannot write to nats, trying again", "servers", t.cfg.connection.redacted(), "err", err)
	}
	if limit := t.cfg.maxRetryTime; limit > 0 && time.Since(t.failing) > limit {
		return fmt.Errorf("nothing written to nats for %s (%s): %w", limit, keyMaxRetryTime, errors.Unwrap(err))
	}
	t.backoff.Failed()
	return err
}

func (t *sinkTask) put(ctx context.Context, records []connectors.SinkRecord) error {
	window := make([]publication, 0, min(t.cfg.maxPending, len(records)))
	flush := func() error {
		err := t.confirm(ctx, window)
		window = window[:0]
		return err
	}
	for i := range records {
		r := &records[i]
		if r.Offset < t.confirmed[r.Original] {
			continue
		}
		m, err := t.message(r)
		if err != nil {
			if err := flush(); err != nil {
				return err
			}
			if err := t.reject(ctx, r, err); err != nil {
				return err
			}
			continue
		}
		if len(window) == t.cfg.maxPending {
			if err := flush(); err != nil {
				return err
			}
		}
		p := publication{record: r}
		if t.js == nil {
			err = t.conn.PublishMsg(m)
		} else {
			p.ack, err = t.js.PublishMsgAsync(m, t.publishOptions(r)...)
		}
		if err != nil {
			return t.publishError(errors.Join(err, flush()))
		}
		window = append(window, p)
	}
	return flush()
}

// A publication is a message under way; without ack it is confirmed by a flush of the connection.
type publication struct {
	record *connectors.SinkRecord
	ack    jetstream.PubAckFuture
}

// confirm waits for publications in order and remembers how far they got.
func (t *sinkTask) confirm(ctx context.Context, window []publication) error {
	if t.js == nil && len(window) > 0 {
		ctx, cancel := context.WithTimeout(ctx, t.cfg.ackTimeout)
		defer cancel()
		if err := t.conn.FlushWithContext(ctx); err != nil {
			return t.publishError(err)
		}
	}
	for _, p := range window {
		if p.ack != nil {
			select {
			case <-p.ack.Ok():
			case err := <-p.ack.Err():
				return t.publishError(err)
			case <-ctx.Done():
				return &connectors.RetriableError{Err: context.Cause(ctx)}
			}
		}
		t.confirmed[p.record.Original] = p.record.Offset + 1
	}
	return nil
}

// publishError says which failures are worth trying again: all but those that the configuration makes.
func (t *sinkTask) publishError(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeJetStreamNotEnabled {
		return &connectors.ConfigError{Msg: fmt.Sprintf("%s=%s: the server has no JetStream; enable it or set %s=%s", keyMode, modeJetStream, keyMode, modeCore)}
	}
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		err = fmt.Errorf("no stream takes the subject (%s=%s): %w", keySubject, t.cfg.subject, err)
	}
	return &connectors.RetriableError{Err: err}
}

// reject hands a record that cannot be published to the errant record reporter, or fails the task.
func (t *sinkTask) reject(ctx context.Context, r *connectors.SinkRecord, cause error) error {
	reporter := t.tc.ErrantRecordReporter()
	if reporter == nil {
		return fmt.Errorf("record %s-%d@%d: %w", r.Original.Topic, r.Original.Partition, r.Offset, cause)
	}
	if err := reporter.Report(ctx, r, cause); err != nil {
		return err
	}
	t.confirmed[r.Original] = r.Offset + 1
	return nil
}

// message returns what to publish for r.
func (t *sinkTask) message(r *connectors.SinkRecord) (*nats.Msg, error) {
	subject, err := t.cfg.subject.ExpandSink(r)
	if err != nil {
		return nil, err
	}
	if !legalSubject(subject) {
		return nil, &connectors.DataError{Msg: fmt.Sprintf("%s gives %q: a subject to publish to has no blanks, no empty tokens and none of * and >", keySubject, subject)}
	}
	m := nats.NewMsg(subject)
	if m.Data, err = payload.Of(r.Value); err != nil {
		return nil, err
	}
	if limit := t.conn.MaxPayload(); limit > 0 && int64(len(m.Data)) > limit {
		return nil, &connectors.DataError{Msg: fmt.Sprintf("value of %d bytes is above the server's max_payload of %d", len(m.Data), limit)}
	}
	if t.cfg.headers {
		for _, h := range r.Headers {
			if b, err := payload.Of(h.Value); err == nil {
				m.Header.Add(h.Key, string(b))
			} else {
				m.Header.Add(h.Key, fmt.Sprint(h.Value))
			}
		}
	}
	if key, err := payload.Of(r.Key); err == nil && key != nil && t.cfg.keyHeader != "" {
		m.Header.Set(t.cfg.keyHeader, string(key))
	}
	return m, nil
}

func (t *sinkTask) publishOptions(r *connectors.SinkRecord) []jetstream.PublishOpt {
	opts := make([]jetstream.PublishOpt, 0, 2)
	if t.cfg.messageID {
		id := r.Original.Topic + "-" + strconv.Itoa(int(r.Original.Partition)) + "-" + strconv.FormatInt(r.Offset, 10)
		opts = append(opts, jetstream.WithMsgID(id))
	}
	if t.cfg.stream != "" {
		opts = append(opts, jetstream.WithExpectStream(t.cfg.stream))
	}
	return opts
}

// Flush returns at once: Put has waited for every confirmation.
func (t *sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func (t *sinkTask) Stop(context.Context) error {
	if t.conn != nil {
		t.conn.Close()
	}
	return nil
}

// legalSubject reports whether a message can be published to s.
func legalSubject(s string) bool {
	if s == "" || strings.ContainsAny(s, " \t\r\n*>\x00") {
		return false
	}
	return !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
}

var _ connectors.Sink = (*Sink)(nil)
