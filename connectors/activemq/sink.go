package activemq

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	"millrace/connectors"
	"millrace/connectors/internal/retry"
)

// sink is the sink connector.
type sink struct{ config map[string]string }

var (
	_ connectors.Sink              = (*sink)(nil)
	_ connectors.ConfigValidator   = (*sink)(nil)
	_ connectors.SinkOffsetAlterer = (*sink)(nil)
)

func (s *sink) Start(ctx connectors.ConnectorContext, config map[string]string) error {
	parsed, err := parseSink(config)
	if err != nil {
		return err
	}
	s.config = config
	parsed.describe(ctx.Logger())
	if !parsed.named {
		ctx.Logger().Info("no activemq.destination: each record goes to the queue named as its topic")
	}
	return nil
}

func (s *sink) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = s.config
	}
	return configs, nil
}

func (s *sink) NewTask() connectors.SinkTask { return new(sinkTask) }

func (s *sink) Stop() error { return nil }

// ValidateConfig adds what only several keys together show.
func (s *sink) ValidateConfig(config map[string]string, values []*connectors.ConfigValue) {
	_, err := parseSink(config)
	addError(values, err)
}

// AlterOffsets has nothing to do: the broker holds no offsets.
func (s *sink) AlterOffsets(map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

// putWait is how long Put waits for a broker before it asks to be called again.
const putWait = time.Second

// sinkTask writes records in transactions: when Put returns, the broker has confirmed all of them.
type sinkTask struct {
	retry.Peer
	config  *sinkConfig
	link    *link
	log     connectors.Logger
	errant  connectors.ErrantRecordReporter
	targets map[string]string // STOMP destinations by expanded name
	noted   map[string]bool   // headers that a log line said are dropped
	lastTx  int
	// sent are the offsets after the records that the broker has of a batch whose Put failed: the same batch comes again.
	sent map[connectors.TopicPartition]int64
	// A broker may hang up on a message without a word. lost is how often in a row it did on a batch that begins with suspect; alone makes
	// each record a batch of its own, to find the one.
	suspect *connectors.SinkRecord
	lost    int
	alone   bool

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

var _ connectors.SinkTask = (*sinkTask)(nil)

func (t *sinkTask) Start(ctx context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	parsed, err := parseSink(config)
	if err != nil {
		return err
	}
	t.config, t.log, t.errant = parsed, tc.Logger(), tc.ErrantRecordReporter()
	t.targets, t.noted = make(map[string]string), make(map[string]bool)
	t.sent = make(map[connectors.TopicPartition]int64)
	clientID := parsed.clientID
	if clientID != "" && tc.TaskID() > 0 {
		clientID += "-" + strconv.Itoa(tc.TaskID())
	}
	t.link = newLink(parsed.connection, clientID, 0, &t.Peer, t.log)
	ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	t.wg.Go(func() { t.link.run(ctx) })
	return nil
}

// A message is a SEND frame with the record it was made of.
type message struct {
	frame  *frame.Frame
	record *connectors.SinkRecord
	size   int
}

func (t *sinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	if len(records) == 0 {
		return nil
	}
	limit := t.config.maxRecords
	if t.alone {
		limit = 1
	}
	batch := make([]message, 0, min(len(records), limit))
	bytes := 0
	for i := range records {
		r := &records[i]
		if r.Offset < t.sent[r.Original] {
			continue
		}
		m, err := t.message(r)
		if err != nil {
			if err := t.report(ctx, r, err); err != nil {
				return err
			}
			continue
		}
		if m.frame == nil {
			continue // a null that is ignored
		}
		if len(batch) == limit || len(batch) > 0 && bytes+m.size > t.config.maxBytes {
			if err := t.send(ctx, batch); err != nil {
				return err
			}
			batch, bytes = batch[:0], 0
		}
		batch = append(batch, m)
		bytes += m.size
	}
	if err := t.send(ctx, batch); err != nil {
		return err
	}
	clear(t.sent)
	t.alone = false
	return nil
}

// send writes batch in one transaction. If the broker refuses it for what it holds, the half with the bad record is looked for:
// that record is reported, the others are sent.
func (t *sinkTask) send(ctx context.Context, batch []message) error {
	if len(batch) == 0 {
		return nil
	}
	err := t.transact(ctx, batch)
	kind, refused := kindOf(err)
	switch {
	case err == nil:
		for _, m := range batch {
			t.sent[m.record.Original] = m.record.Offset + 1
		}
		t.lost = 0
		return nil
	case !refused && t.suspicious(batch, err):
		if r, ok := errors.AsType[*connectors.RetriableError](err); ok {
			err = r.Err // enough tries
		}
		return t.skip(ctx, batch[0].record, &connectors.DataError{
			Msg: fmt.Sprintf("the broker hung up on the message %d times without saying why", hangUps), Cause: err})
	case !refused || kind == refusedForNow:
		return retriable(err)
	case kind == refusedAuth:
		return &connectors.ConfigError{Msg: fmt.Sprintf("the user of activemq.user may not write to %s: %v",
			batch[0].frame.Header.Get(frame.Destination), err)}
	case len(batch) == 1:
		return t.skip(ctx, batch[0].record, &connectors.DataError{Msg: "the broker refuses the message", Cause: err})
	}
	half := len(batch) / 2
	if err := t.send(ctx, batch[:half]); err != nil {
		return err
	}
	return t.send(ctx, batch[half:])
}

// hangUps is how many times in a row a broker must hang up, each time after it was reached again, before what was sent is blamed.
const hangUps = 3

// suspicious takes note of a failure to send batch. It reports whether batch is a single record on which the broker keeps hanging up.
// A longer batch on which it does is sent record by record from the next Put on.
func (t *sinkTask) suspicious(batch []message, err error) bool {
	if !hungUp(err) {
		return false
	}
	if first := batch[0].record; t.suspect == nil || t.suspect.Original != first.Original || t.suspect.Offset != first.Offset {
		t.suspect, t.lost = first, 0
	}
	t.lost++
	if t.lost < hangUps {
		return false
	}
	t.lost = 0
	if len(batch) == 1 {
		return true
	}
	t.alone = true
	return false
}

// skip reports a bad record and goes on after it.
func (t *sinkTask) skip(ctx context.Context, r *connectors.SinkRecord, bad error) error {
	if err := t.report(ctx, r, bad); err != nil {
		return err
	}
	t.sent[r.Original] = r.Offset + 1
	return nil
}

// transact sends BEGIN, the messages and COMMIT at once and waits for the confirmation. An error leaves nothing behind,
// unless it came between the broker's commit and our hearing of it.
func (t *sinkTask) transact(ctx context.Context, batch []message) error {
	s, err := t.link.session(ctx, putWait)
	switch {
	case err != nil:
		return err
	case s == nil:
		return retriable(errors.New("no broker is connected"))
	}
	t.lastTx++
	tx := "tx" + strconv.Itoa(t.lastTx)
	frames := make([]*frame.Frame, 0, len(batch)+2)
	frames = append(frames, frame.New(frame.BEGIN, frame.Transaction, tx))
	for _, m := range batch {
		m.frame.Header.Set(frame.Transaction, tx)
		if s.artemis {
			addressArtemis(m.frame, "destination-type")
		}
		frames = append(frames, m.frame)
	}
	frames = append(frames, frame.New(frame.COMMIT, frame.Transaction, tx))
	if err := s.request(ctx, frames...); err != nil {
		if _, refused := kindOf(err); refused {
			return err
		}
		return retriable(err)
	}
	return nil
}

func retriable(err error) error {
	if err == nil || connectors.Retriable(err) {
		return err
	}
	return &connectors.RetriableError{Err: err}
}

// report gives a bad record to the reporter, or fails with err if there is none.
func (t *sinkTask) report(ctx context.Context, r *connectors.SinkRecord, err error) error {
	if t.errant == nil {
		return fmt.Errorf("record %s-%d offset %d: %w", r.Original.Topic, r.Original.Partition, r.Offset, err)
	}
	return t.errant.Report(ctx, r, err)
}

// Flush has nothing to do: Put returns when the broker has the records.
func (t *sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func (t *sinkTask) Stop(context.Context) error {
	if t.cancel != nil {
		t.cancel()
		t.wg.Wait()
	}
	return nil
}
