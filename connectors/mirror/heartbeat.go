package mirror

import (
	"context"
	"maps"
	"math"
	"time"

	"millrace/connectors"
)

// A heartbeatConnector is MirrorHeartbeat: one task that writes the time to the heartbeats topic of the target.
type heartbeatConnector struct {
	connector
	// every is how often; 0 is never.
	every time.Duration
}

var (
	_ connectors.Source        = (*heartbeatConnector)(nil)
	_ connectors.OffsetAlterer = (*heartbeatConnector)(nil)
)

func (c *heartbeatConnector) Start(ctx connectors.ConnectorContext, config map[string]string) (err error) {
	if err = c.begin(ctx, heartbeatRead, config); err != nil {
		return err
	}
	if c.every, err = c.s.interval(keyEmitHeartbeats); err != nil {
		return err
	}
	if err = c.open("heartbeats", theTarget); err != nil {
		return err
	}
	c.jobs.every(0, 0, "create the heartbeats topic", func(jobCtx context.Context) error {
		return createInternal(jobCtx, c.to, c.log, c.s, heartbeatsTopic, keyHeartbeatsReplication)
	})
	return nil
}

func (c *heartbeatConnector) TaskConfigs(int) ([]map[string]string, error) {
	if c.every == 0 {
		return nil, nil
	}
	return []map[string]string{maps.Clone(c.s.raw)}, nil
}

func (c *heartbeatConnector) NewTask() connectors.SourceTask { return new(heartbeatTask) }

type heartbeatTask struct {
	s         *settings
	partition *connectors.SourcePartition
	next      time.Time
	every     time.Duration
}

func (t *heartbeatTask) Start(_ context.Context, _ connectors.SourceTaskContext, config map[string]string) (err error) {
	if t.s, err = read(heartbeatRead, config); err != nil {
		return err
	}
	if t.every, err = t.s.interval(keyEmitHeartbeats); err != nil {
		return err
	}
	if t.every == 0 {
		t.every = math.MaxInt64
	}
	t.partition = connectors.NewSourcePartition(map[string]any{"sourceClusterAlias": t.s.source, "targetClusterAlias": t.s.target})
	t.next = time.Now().Add(t.every)
	return nil
}

func (t *heartbeatTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	if !reached(ctx, t.next) {
		return nil, nil
	}
	now := time.Now()
	t.next = now.Add(t.every)
	h := heartbeat{t.s.source, t.s.target, now.UnixMilli()}
	return []connectors.SourceRecord{internalRecord(heartbeatsTopic, h.key(), h.value(), h.timestamp, t.partition)}, nil
}

// reached waits for a time, for at most a second.
func reached(ctx context.Context, at time.Time) bool {
	left := time.Until(at)
	return sleep(ctx, min(left, time.Second)) && left <= time.Second
}

// nothingToKnow is the source offset of what is not read from anywhere.
var nothingToKnow = connectors.OffsetMap{"offset": int64(0)}

// internalRecord is a record of an internal topic.
func internalRecord(topic string, key, value []byte, timestamp int64, p *connectors.SourcePartition) connectors.SourceRecord {
	return connectors.SourceRecord{
		Record: connectors.Record{
			Topic: topic, Partition: 0, Timestamp: timestamp,
			KeySchema: connectors.BytesSchema, Key: key, ValueSchema: connectors.BytesSchema, Value: value,
		},
		SourcePartition: p, SourceOffset: nothingToKnow,
	}
}

func (t *heartbeatTask) Stop(context.Context) error { return nil }
