package runtime

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
	"millrace/plugins/clients"
	"millrace/runtime/internal/pipeline"
)

// settings are those of a connector's client of kind producer, consumer or admin: the worker's, then the connector's.
func (b *taskBuilder) settings(kind string) map[string]string {
	props := withPrefix(b.h.cfg.Properties, kind+".")
	if kind == "consumer" && b.h.cfg.Mode == Distributed && props["session.timeout.ms"] == "" {
		// A worker that is lost keeps no partition longer than its tasks; Kafka's default is 45 s.
		props["session.timeout.ms"] = strconv.FormatInt(b.h.cfg.Values.Millis("session.timeout.ms").Milliseconds(), 10)
	}
	maps.Copy(props, b.overrides(kind))
	return props
}

func (b *taskBuilder) overrides(kind string) map[string]string {
	return withPrefix(b.config, kind+".override.")
}

// clients makes clients, and notes what settings of the connector have no meaning here; the worker's own were named at its start.
func (b *taskBuilder) clients() clients.Config {
	c := b.h.clients
	c.Ignored = func(kind string, names []string) {
		for _, name := range names {
			if key := kind + ".override." + name; b.config[key] != "" {
				b.ignored = append(b.ignored, key)
			}
		}
	}
	return c
}

// reportIgnored names those settings, once for each start of the connector.
func (b *taskBuilder) reportIgnored() {
	if b.id == 0 && len(b.ignored) > 0 {
		b.t.log.Warn("client settings have no meaning here and are ignored", "keys", strings.Join(b.ignored, ","))
	}
}

// producer is the worker's, or one of the task's own if the connector has settings for it.
func (b *taskBuilder) producer(id string) (*kgo.Client, error) {
	if len(b.overrides("producer")) == 0 {
		return b.h.producer, nil
	}
	own, err := b.clients().Producer(fmt.Sprintf("%s-%s-%d", id, b.c.Name, b.id), b.settings("producer"))
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, own.Close)
	return own, nil
}

// admin is the worker's, or one of the task's own if there are settings for those of connectors.
func (b *taskBuilder) admin() (*kadm.Client, error) {
	props := b.settings("admin")
	delete(props, "listeners") // of REST
	for name := range props {
		if strings.HasPrefix(name, "listeners.") {
			delete(props, name)
		}
	}
	if len(props) == 0 {
		return b.h.admin, nil
	}
	own, err := b.clients().Admin(fmt.Sprintf("connector-adminclient-%s-%d", b.c.Name, b.id), props)
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, own.Close)
	return kadm.NewClient(own), nil
}

func (b *taskBuilder) deadLetterTopic() string {
	return strings.TrimSpace(b.config["errors.deadletterqueue.topic.name"])
}

// deadLetters returns the dead letter queue, its topic made; nil if the connector has none.
func (b *taskBuilder) deadLetters(ctx context.Context, producer *kgo.Client) (*pipeline.DeadLetterQueue, error) {
	topic := b.deadLetterTopic()
	if topic == "" {
		return nil, nil
	}
	replication := int16(3)
	if text, ok := b.config["errors.deadletterqueue.topic.replication.factor"]; ok {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 16)
		if err != nil {
			return nil, connectors.InvalidValue("errors.deadletterqueue.topic.replication.factor", text, "Not a number of type SHORT")
		}
		replication = int16(n)
	}
	admin, err := b.admin()
	if err != nil {
		return nil, err
	}
	l := labels(b.taskID())
	q := &pipeline.DeadLetterQueue{
		Connector: b.c.Name, Task: b.id, Topic: topic, Producer: producer,
		Context: strings.EqualFold(b.config["errors.deadletterqueue.context.headers.enable"], "true"),
		Redact:  b.i.scrub,
		Sent:    b.h.metrics.deadLetters.With(l), Failed: b.h.metrics.deadLetterFail.With(l),
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := q.Create(ctx, admin, replication); err != nil {
		return nil, err
	}
	return q, nil
}
