package mqtt

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"millrace/connectors"
	"millrace/connectors/internal/payload"
	"millrace/connectors/internal/retry"
)

// Sink is the sink connector. All tasks have the same work: the partitions of the topics are spread by the group.
type Sink struct {
	config map[string]string
	parsed sinkConfig
}

// Start checks the configuration; it opens no connection.
func (s *Sink) Start(_ connectors.ConnectorContext, config map[string]string) (err error) {
	s.config = config
	s.parsed, err = parseSink(config)
	return err
}

// TaskConfigs returns maxTasks configurations that differ in the client id.
func (s *Sink) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = maps.Clone(s.config)
		configs[i][keyClientID] = clientID(s.parsed.connection, s.config["name"], i)
		for _, alias := range clientIDAliases {
			delete(configs[i], alias)
		}
	}
	return configs, nil
}

// NewTask returns a task that is not started.
func (s *Sink) NewTask() connectors.SinkTask { return &sinkTask{} }

// Stop does nothing: the connector itself holds no connection.
func (s *Sink) Stop() error { return nil }

// A sinkTask publishes each batch and waits for the broker's confirmations within Put, so Flush has nothing left to do.
type sinkTask struct {
	retry.Peer
	cfg     sinkConfig
	log     connectors.Logger
	tc      connectors.SinkTaskContext
	backoff retry.Backoff
	client  paho.Client // nil while there is no connection
	// confirmed is the next offset to publish of each partition while a batch is only partly confirmed: it comes again.
	confirmed map[connectors.TopicPartition]int64
	failing   time.Time // since when, zero if not
}

func (t *sinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) (err error) {
	t.log = tc.Logger()
	t.tc = tc
	t.confirmed = make(map[connectors.TopicPartition]int64)
	t.cfg, err = parseSink(config)
	return err
}

// Put publishes records in order, at most mqtt.max.inflight unconfirmed at a time, and returns when all are confirmed.
// When the connection fails it returns a retriable error, and continues from the first unconfirmed record when the batch
// comes again.
func (t *sinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	if len(records) == 0 {
		return nil
	}
	err := t.put(ctx, records)
	if err == nil {
		clear(t.confirmed)
		t.backoff.Reset()
		t.failing = time.Time{}
		t.Found()
		return nil
	}
	if fatal(err) || !connectors.Retriable(err) {
		return err
	}
	t.Lost(err)
	if t.failing.IsZero() {
		t.failing = time.Now()
		t.log.Warn("cannot write to mqtt broker, trying again", "servers", t.cfg.connection.redacted(), "err", err)
	}
	if limit := t.cfg.maxRetryTime; limit > 0 && time.Since(t.failing) > limit {
		return fmt.Errorf("mqtt broker not reached for %s (%s): %w", limit, keyMaxRetryTime, err.(*connectors.RetriableError).Err)
	}
	t.backoff.Failed()
	return err
}

func (t *sinkTask) put(ctx context.Context, records []connectors.SinkRecord) error {
	if t.client == nil {
		if !t.backoff.Wait(ctx, pollWait) {
			return retriable(fmt.Errorf("waiting to reconnect"))
		}
		if err := t.connect(ctx); err != nil {
			if fatal(err) {
				return err
			}
			return retriable(err)
		}
	}
	window := make([]publication, 0, min(t.cfg.maxInflight, len(records)))
	for i := range records {
		r := &records[i]
		if r.Offset < t.confirmed[r.Original] {
			continue
		}
		topic, body, err := t.cfg.message(r)
		if err != nil {
			// What is under way must be confirmed first: a record reported counts as written.
			if err := t.confirm(ctx, window); err != nil {
				return t.disconnect(err)
			}
			window = window[:0]
			if err := t.reject(ctx, r, err); err != nil {
				return err
			}
			continue
		}
		if body == nil && !t.cfg.publishNulls {
			window = append(window, publication{record: r})
			continue
		}
		if len(window) == t.cfg.maxInflight {
			if err := t.confirm(ctx, window[:1]); err != nil {
				return t.disconnect(err)
			}
			window = append(window[:0], window[1:]...)
		}
		window = append(window, publication{r, t.client.Publish(topic, t.cfg.qos, t.cfg.retained, body)})
	}
	if err := t.confirm(ctx, window); err != nil {
		return t.disconnect(err)
	}
	return nil
}

// A publication is a record under way; without token it needed none.
type publication struct {
	record *connectors.SinkRecord
	token  paho.Token
}

// confirm waits for publications in order and remembers how far they got.
func (t *sinkTask) confirm(ctx context.Context, window []publication) error {
	for _, p := range window {
		if p.token != nil {
			if err := await(ctx, p.token, t.cfg.ackTimeout); err != nil {
				return err
			}
		}
		t.confirmed[p.record.Original] = p.record.Offset + 1
	}
	return nil
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

func (t *sinkTask) connect(ctx context.Context) error {
	opts := t.cfg.connection.options()
	opts.SetClientID(t.cfg.connection.clientID)
	opts.SetCleanSession(true)
	client := paho.NewClient(opts)
	if err := await(ctx, client.Connect(), t.cfg.connection.connectTimeout); err != nil {
		client.Disconnect(0)
		return connectError(err)
	}
	t.client = client
	t.log.Info("connected to mqtt broker", "client_id", t.cfg.connection.clientID)
	return nil
}

// disconnect gives up the connection: its client is never used again, and everything unconfirmed is published anew.
func (t *sinkTask) disconnect(cause error) error {
	t.client.Disconnect(0)
	t.client = nil
	return retriable(cause)
}

// Flush returns at once: Put has waited for every confirmation.
func (t *sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error { return nil }

func (t *sinkTask) Stop(context.Context) error {
	if t.client != nil {
		t.client.Disconnect(disconnectQuiesce)
		t.client = nil
	}
	return nil
}

func retriable(err error) error { return &connectors.RetriableError{Err: err} }

// message returns where and what to publish for r.
func (c *sinkConfig) message(r *connectors.SinkRecord) (topic string, body []byte, err error) {
	topic, err = c.topic.ExpandSink(r)
	if err != nil {
		return "", nil, err
	}
	if topic == "" || strings.ContainsAny(topic, "+#\x00") {
		return "", nil, &connectors.DataError{Msg: fmt.Sprintf("%s gives %q: an MQTT topic is not empty and has none of +, # and NUL", keyTopic, topic)}
	}
	body, err = payload.Of(r.Value)
	return topic, body, err
}

var _ connectors.Sink = (*Sink)(nil)
