package mqtt

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"millrace/connectors"
	"millrace/connectors/internal/ack"
	"millrace/connectors/internal/retry"
)

// Source is the source connector: it spreads the topic filters over the tasks, or gives all of them to each task of a
// shared subscription.
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

// TaskConfigs returns min(maxTasks, filters) configurations, maxTasks with a shared subscription.
func (s *Source) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	filters := s.parsed.filters
	n := min(maxTasks, len(filters))
	if s.parsed.shareGroup != "" {
		n = maxTasks
	}
	configs := make([]map[string]string, n)
	for i := range configs {
		own := filters
		if s.parsed.shareGroup == "" {
			own = nil
			for j := i; j < len(filters); j += n {
				own = append(own, filters[j])
			}
		}
		configs[i] = maps.Clone(s.config)
		configs[i][keyTopics] = strings.Join(own, ",")
		configs[i][keyClientID] = clientID(s.parsed.connection, s.config["name"], i)
		for _, alias := range topicsAliases {
			delete(configs[i], alias)
		}
		for _, alias := range clientIDAliases {
			delete(configs[i], alias)
		}
	}
	return configs, nil
}

// NewTask returns a task that is not started.
func (s *Source) NewTask() connectors.SourceTask { return &sourceTask{} }

// Stop does nothing: the connector itself holds no connection.
func (s *Source) Stop() error { return nil }

// ExactlyOnceSupport says no: MQTT's session cannot be part of a transaction of the log.
func (s *Source) ExactlyOnceSupport(map[string]string) (connectors.ExactlyOnceSupport, error) {
	return connectors.ExactlyOnceUnsupported, nil
}

// A sourceTask is one client of the broker. The connection is made, and made again, by Poll; paho's goroutine only puts
// messages into the inbox; CommitRecords acknowledges.
type sourceTask struct {
	retry.Peer
	cfg     sourceConfig
	log     connectors.Logger
	backoff retry.Backoff
	client  paho.Client // nil while there is no connection; Poll's alone
	seen    bool        // whether this task had a connection before
	tracker ack.Tracker[paho.Message]

	acking sync.Mutex

	wake chan struct{} // something is in the inbox or the connection is lost

	mu         sync.Mutex
	generation int // of the connection whose messages are taken
	inbox      []delivery
	lost       error // why that connection ended
	dropped    int64 // QoS 0 messages that found the inbox full
}

type delivery struct {
	msg    paho.Message
	ticket ack.Ticket
}

func (t *sourceTask) Start(_ context.Context, tc connectors.SourceTaskContext, config map[string]string) (err error) {
	t.log = tc.Logger()
	t.wake = make(chan struct{}, 1)
	t.cfg, err = parseSource(config)
	return err
}

// Poll returns what arrived, after at most a second. Without a connection it makes one; failures are waited out with
// back-off and never fail the task, except for a refusal that trying again cannot mend.
func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if t.client == nil {
		if !t.backoff.Wait(ctx, pollWait) {
			return nil, nil
		}
		if err := t.connect(ctx); err != nil {
			if fatal(err) {
				return nil, err
			}
			t.Lost(err)
			t.log.Warn("cannot connect to mqtt broker, trying again",
				"servers", t.cfg.connection.redacted(), "retry_in", t.backoff.Failed(), "err", err)
			return nil, nil
		}
		t.backoff.Reset()
		t.Found()
	}
	timeout := time.NewTimer(pollWait)
	defer timeout.Stop()
	select {
	case <-t.wake:
	case <-timeout.C:
	case <-ctx.Done():
	}
	return t.take(), nil
}

// take empties the inbox, at most maxPoll records at a time, and drops the connection if it was lost.
func (t *sourceTask) take() []connectors.SourceRecord {
	t.mu.Lock()
	n := min(len(t.inbox), t.cfg.maxPoll)
	batch := t.inbox[:n:n]
	t.inbox = t.inbox[n:]
	lost, dropped := t.lost, t.dropped
	t.lost, t.dropped = nil, 0
	if len(t.inbox) > 0 {
		t.signal()
	}
	t.mu.Unlock()

	if dropped > 0 {
		t.log.Warn("dropped mqtt messages of qos 0: records are not taken as fast as they arrive", "count", dropped)
	}
	if lost != nil {
		t.log.Warn("lost connection to mqtt broker", "err", lost)
		t.client.Disconnect(0)
		t.client = nil
	}
	records := make([]connectors.SourceRecord, 0, len(batch))
	now := time.Now().UnixMilli()
	for _, d := range batch {
		if t.cfg.skipRetained && d.msg.Retained() {
			t.skip(d)
			continue
		}
		records = append(records, t.cfg.record(d, now))
	}
	return records
}

// skip acknowledges a message that becomes no record.
func (t *sourceTask) skip(d delivery) {
	t.tracker.Done(d.ticket)
	t.acknowledge()
}

// connect dials, and subscribes unless the broker kept the subscriptions of a connection that this task had before.
func (t *sourceTask) connect(ctx context.Context) error {
	opts := t.cfg.connection.options()
	opts.SetClientID(t.cfg.connection.clientID)
	opts.SetCleanSession(t.cfg.cleanSession)
	opts.SetOrderMatters(true)
	opts.SetAutoAckDisabled(true)
	// Set before connecting: a kept session delivers before any Subscribe.
	generation := t.begin()
	opts.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { t.receive(generation, m) })
	opts.SetConnectionLostHandler(func(_ paho.Client, err error) { t.lose(generation, err) })

	client := paho.NewClient(opts)
	token := client.Connect()
	if err := await(ctx, token, t.cfg.connection.connectTimeout); err != nil {
		client.Disconnect(0)
		return connectError(err)
	}
	present := token.(*paho.ConnectToken).SessionPresent()
	if t.seen && !present && !t.cfg.cleanSession {
		t.log.Warn("mqtt broker did not keep the session: messages may have been missed", "client_id", t.cfg.connection.clientID)
	}
	if !present || !t.seen {
		if err := t.subscribe(ctx, client); err != nil {
			client.Disconnect(0)
			return err
		}
	}
	t.client, t.seen = client, true
	t.log.Info("connected to mqtt broker", "client_id", t.cfg.connection.clientID, "session_present", present)
	return nil
}

func (t *sourceTask) subscribe(ctx context.Context, client paho.Client) error {
	filters := make(map[string]byte, len(t.cfg.filters))
	for _, f := range t.cfg.filters {
		if t.cfg.shareGroup != "" && !strings.HasPrefix(f, "$share/") {
			f = "$share/" + t.cfg.shareGroup + "/" + f
		}
		filters[f] = t.cfg.qos
	}
	token := client.SubscribeMultiple(filters, nil)
	if err := await(ctx, token, t.cfg.connection.connectTimeout); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for filter, granted := range token.(*paho.SubscribeToken).Result() {
		if granted == subackFailure {
			return &connectors.ConfigError{Msg: fmt.Sprintf("%s: the broker refused the filter %q; check the filter and the permissions of the user", keyTopics, filter)}
		}
		if granted < t.cfg.qos {
			t.log.Warn("mqtt broker granted a lower qos than asked for", "filter", filter, "asked", t.cfg.qos, "granted", granted)
		}
	}
	return nil
}

// receive runs on paho's goroutine and must not block. Messages of QoS 1 and 2 are bounded by the broker's in-flight window.
func (t *sourceTask) receive(generation int, m paho.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if generation != t.generation {
		return
	}
	if m.Qos() == 0 {
		if len(t.inbox) >= t.cfg.maxPending {
			t.dropped++
			return
		}
		t.inbox = append(t.inbox, delivery{msg: m})
	} else {
		t.inbox = append(t.inbox, delivery{msg: m, ticket: t.tracker.Add(m)})
	}
	t.signal()
}

func (t *sourceTask) lose(generation int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if generation != t.generation {
		return
	}
	t.lost = err
	t.signal()
}

// signal wakes Poll; the channel holds one wake-up, more would say nothing new.
func (t *sourceTask) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// begin starts a new generation of connection: late calls of earlier ones are ignored from here on, and what will be
// delivered again, messages of QoS 1 and 2, is dropped. Those of QoS 0 will not and stay.
func (t *sourceTask) begin() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation++
	t.tracker.Reset()
	t.inbox = slices.DeleteFunc(t.inbox, func(d delivery) bool { return d.msg.Qos() > 0 })
	t.lost = nil
	return t.generation
}

// CommitRecords acknowledges, in the order of arrival, what the log has. An acknowledgement of a connection that is gone does
// nothing: the broker delivers its message again.
func (t *sourceTask) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	for _, r := range records {
		t.tracker.Done(r.Record.Handle.(ack.Ticket))
	}
	t.acknowledge()
	return nil
}

// acknowledge sends what is due. The lock keeps the order between Poll and CommitRecords.
func (t *sourceTask) acknowledge() {
	t.acking.Lock()
	defer t.acking.Unlock()
	for _, m := range t.tracker.Take() {
		m.Ack()
	}
}

// Stop ends the connection after the broker has taken in every acknowledgement: MQTT answers none of them, but it answers the
// removal of a subscription that is not there, in order.
func (t *sourceTask) Stop(ctx context.Context) error {
	if t.client == nil {
		return nil
	}
	err := await(ctx, t.client.Unsubscribe("millrace/none"), stopWait)
	t.client.Disconnect(disconnectQuiesce)
	t.client = nil
	if err != nil {
		return fmt.Errorf("last acknowledgements not confirmed, their messages may come again: %w", err)
	}
	return nil
}

var (
	_ connectors.Source               = (*Source)(nil)
	_ connectors.ExactlyOnceSupporter = (*Source)(nil)
	_ connectors.RecordCommitter      = (*sourceTask)(nil)
)
