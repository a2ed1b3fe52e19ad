package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/connectors"
)

// source is the source connector: one task, whatever tasks.max says.
type source struct {
	allowed Allowed
	config  map[string]string
}

var (
	_ connectors.Source               = (*source)(nil)
	_ connectors.OffsetAlterer        = (*source)(nil)
	_ connectors.ConfigValidator      = (*source)(nil)
	_ connectors.ExactlyOnceSupporter = (*source)(nil)
)

func (s *source) Start(ctx connectors.ConnectorContext, config map[string]string) error {
	values, err := sourceDef().Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	from := values.String(keyFile)
	if err := s.allowed.check(from); err != nil {
		return err
	}
	if from == "" {
		from = "standard input"
	}
	ctx.Logger().Info("file source reads", "file", from, "topic", values.String(keyTopic))
	s.config = config
	return nil
}

func (s *source) TaskConfigs(int) ([]map[string]string, error) {
	return []map[string]string{s.config}, nil
}

func (s *source) NewTask() connectors.SourceTask { return &sourceTask{allowed: s.allowed} }

func (s *source) Stop() error { return nil }

// ValidateConfig refuses files that are not allowed.
func (s *source) ValidateConfig(config map[string]string, values []*connectors.ConfigValue) {
	s.allowed.checkConfig(config, values)
}

// ExactlyOnceSupport is given for a file, which has positions, and not for standard input.
func (s *source) ExactlyOnceSupport(config map[string]string) (connectors.ExactlyOnceSupport, error) {
	values, err := sourceDef().Parse(connectors.Raw(config))
	if err != nil {
		return connectors.ExactlyOnceUnknown, err
	}
	if values.String(keyFile) == "" {
		return connectors.ExactlyOnceUnsupported, nil
	}
	return connectors.ExactlyOnceSupported, nil
}

// AlterOffsets checks the shape of partitions and offsets. Whether a position fits the file shows when the task starts.
// Anything may be removed, so that users can clean up.
func (s *source) AlterOffsets(config map[string]string, offsets []connectors.PartitionOffset) (bool, error) {
	values, err := sourceDef().Parse(connectors.Raw(config))
	if err != nil {
		return false, err
	}
	if values.String(keyFile) == "" {
		return false, errors.New("Offsets cannot be modified if the 'file' configuration is unspecified. " +
			"This is because stdin is used for input and offsets are not tracked.")
	}
	for _, o := range offsets {
		if o.Offset == nil {
			continue
		}
		if _, err := positionOf(o.Offset); err != nil {
			return false, err
		}
		if o.Partition == nil {
			return false, errors.New("Partition objects cannot be null")
		}
		if _, ok := o.Partition["filename"]; !ok {
			return false, errors.New("Partition objects should contain the key 'filename'")
		}
	}
	return true, nil
}

func positionOf(offset map[string]any) (int64, error) {
	value, ok := offset["position"]
	if !ok {
		return 0, errors.New("Offset objects should either be null or contain the key 'position'")
	}
	n, ok := value.(int64)
	if !ok {
		return 0, errors.New("The value for the 'position' key in the offset is expected to be a Long value")
	}
	if n < 0 {
		return 0, errors.New("The value for the 'position' key in the offset should be a non-negative value")
	}
	return n, nil
}

// position is the offset of a record: the byte after its line.
type position struct{ n int64 }

func (p *position) Map() map[string]any { return map[string]any{"position": p.n} }

const (
	pollTime = time.Second
	minIdle  = 2 * time.Millisecond
	maxIdle  = 250 * time.Millisecond
)

// A lineReader gives lines from where they come.
type lineReader interface {
	// next returns the next line and the position after it; ok is false when there is none for now.
	next() (line string, end int64, ok bool)
	// more looks for lines once, waiting at most d. It reports whether next has something.
	more(ctx context.Context, d time.Duration) (bool, error)
	close() error
}

// sourceTask reads one file.
type sourceTask struct {
	allowed   Allowed
	topic     string
	batchSize int
	partition *connectors.SourcePartition // nil for standard input
	lines     lineReader
	idle      time.Duration
}

func (t *sourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	values, err := sourceDef().Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	t.topic = values.String(keyTopic)
	t.batchSize = max(1, int(values.Int(keyBatchSize)))
	t.idle = minIdle
	path := values.String(keyFile)
	if path == "" {
		t.lines = newStdinLines()
		return nil
	}
	t.partition = connectors.NewSourcePartition(map[string]any{"filename": path})
	offset, err := tc.Offset(ctx, t.partition)
	if err != nil {
		return err
	}
	var start int64
	if offset != nil {
		if start, err = positionOf(offset); err != nil {
			return fmt.Errorf("stored offset of %s: %w", path, err)
		}
	}
	t.lines = newFollower(path, start, t.allowed, tc.Logger())
	return nil
}

func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	for begin := time.Now(); ; {
		if records := t.batch(); records != nil {
			t.idle = minIdle
			return records, nil
		}
		more, err := t.lines.more(ctx, t.idle)
		if err != nil {
			return nil, err
		}
		if more {
			continue
		}
		t.idle = min(2*t.idle, maxIdle)
		if ctx.Err() != nil || time.Since(begin)+t.idle > pollTime {
			return nil, nil
		}
	}
}

// batch returns records of the lines at hand, nil if there are none. Records, and their offsets, share allocations.
func (t *sourceTask) batch() []connectors.SourceRecord {
	line, end, ok := t.lines.next()
	if !ok {
		return nil
	}
	records := make([]connectors.SourceRecord, 0, t.capacity())
	var offsets []position
	if t.partition != nil {
		offsets = make([]position, 0, cap(records))
	}
	now := time.Now().UnixMilli()
	for ; ok; line, end, ok = t.lines.next() {
		r := connectors.SourceRecord{Record: connectors.Record{
			Topic: t.topic, Partition: connectors.NoPartition,
			ValueSchema: connectors.StringSchema, Value: line, Timestamp: now,
		}}
		if t.partition != nil {
			if len(offsets) == cap(offsets) { // earlier ones stay where they are
				offsets = make([]position, 0, cap(offsets))
			}
			offsets = append(offsets, position{end})
			r.SourcePartition, r.SourceOffset = t.partition, &offsets[len(offsets)-1]
		}
		records = append(records, r)
		if len(records) == t.batchSize {
			break
		}
	}
	return records
}

// capacity is a first guess at the records of a batch.
func (t *sourceTask) capacity() int { return min(t.batchSize, 2000) }

func (t *sourceTask) Stop(context.Context) error {
	if t.lines == nil {
		return nil
	}
	return t.lines.close()
}
