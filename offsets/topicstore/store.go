package topicstore

import (
	"context"

	"millrace/offsets"
	"millrace/offsets/topiclog"
)

var _ offsets.Store = (*Store)(nil)

// A Store keeps offsets in a topic.
type Store struct {
	index *offsets.Index
	log   *topiclog.Log
}

// Open opens the topic of cfg, whose Apply it sets, and reads it to its end. Records that are no offsets are logged and
// passed over, as Kafka Connect does.
func Open(ctx context.Context, cfg topiclog.Config) (*Store, error) {
	index := new(offsets.Index)
	cfg.Apply = func(r topiclog.Record) {
		if err := index.Apply(offsets.Pair{Key: r.Key, Value: r.Value}); err != nil && cfg.Log != nil {
			cfg.Log.Warn("record of the offset topic passed over", "topic", cfg.Topic,
				"partition", r.Partition, "offset", r.Offset, "err", err)
		}
	}
	log, err := topiclog.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &Store{index: index, log: log}, nil
}

// Run tails the topic until ctx ends; the other methods need it running.
func (s *Store) Run(ctx context.Context) error { return s.log.Run(ctx) }

// Close releases the client.
func (s *Store) Close() { s.log.Close() }

// Get implements offsets.Store.
func (s *Store) Get(ctx context.Context, connector string, partitions []map[string]any) ([]map[string]any, error) {
	if err := s.log.ReadToEnd(ctx); err != nil {
		return nil, err
	}
	return s.index.Get(connector, partitions)
}

// List implements offsets.Store.
func (s *Store) List(ctx context.Context, connector string) ([]offsets.Offset, error) {
	if err := s.log.ReadToEnd(ctx); err != nil {
		return nil, err
	}
	return s.index.List(connector), nil
}

// Put implements offsets.Store.
func (s *Store) Put(ctx context.Context, offs []offsets.Offset) error {
	pairs, err := s.index.Encode(offs)
	if err != nil {
		return err
	}
	records := make([]topiclog.Record, len(pairs))
	for i, p := range pairs {
		records[i] = topiclog.Record{Key: p.Key, Value: p.Value}
	}
	return s.log.Append(ctx, records...)
}
