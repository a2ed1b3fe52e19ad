package file

import (
	"context"
	"errors"
	"fmt"
	"os"

	"millrace/connectors"
)

// sink is the sink connector: all tasks append to the same file.
type sink struct {
	allowed Allowed
	config  map[string]string
}

var (
	_ connectors.Sink              = (*sink)(nil)
	_ connectors.ConfigValidator   = (*sink)(nil)
	_ connectors.SinkOffsetAlterer = (*sink)(nil)
)

func (s *sink) Start(_ connectors.ConnectorContext, config map[string]string) error {
	values, err := sinkDef().Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	if err := s.allowed.check(values.String(keyFile)); err != nil {
		return err
	}
	s.config = config
	return nil
}

func (s *sink) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = s.config
	}
	return configs, nil
}

func (s *sink) NewTask() connectors.SinkTask { return &sinkTask{allowed: s.allowed} }

func (s *sink) Stop() error { return nil }

// ValidateConfig refuses files that are not allowed.
func (s *sink) ValidateConfig(config map[string]string, values []*connectors.ConfigValue) {
	s.allowed.checkConfig(config, values)
}

// AlterOffsets has nothing to do: the file holds no offsets.
func (s *sink) AlterOffsets(map[string]string, map[connectors.TopicPartition]*int64) (bool, error) {
	return true, nil
}

// writeSize is how many bytes of whole lines are collected before they are written.
const writeSize = 256 << 10

// sinkTask appends lines. What is written by one call are whole lines, so that tasks do not split each other's.
type sinkTask struct {
	allowed Allowed
	log     connectors.Logger
	f       *os.File
	stdout  bool
	buf     []byte
	dirty   bool // written since the last sync
}

var _ connectors.SinkTask = (*sinkTask)(nil)

func (t *sinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	t.log = tc.Logger()
	values, err := sinkDef().Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	path := values.String(keyFile)
	if path == "" {
		t.f, t.stdout = os.Stdout, true
		return nil
	}
	if err := t.allowed.check(path); err != nil {
		return err
	}
	if t.f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644); errors.Is(err, os.ErrPermission) {
		t.f, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	}
	if err != nil {
		return fmt.Errorf("couldn't find or create file '%s' for FileStreamSinkTask: %w", path, err)
	}
	if torn(t.f) {
		t.log.Warn("the last line of the file has no end; going on after it on a new line", "file", path)
		t.buf = append(t.buf, '\n')
	}
	return nil
}

// torn reports whether a regular file ends within a line.
func torn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

func (t *sinkTask) Put(_ context.Context, records []connectors.SinkRecord) error {
	if err := t.write(); err != nil { // as the last one: do not take more before it succeeds
		return err
	}
	for i := range records {
		t.buf = connectors.AppendText(t.buf, records[i].Value)
		t.buf = append(t.buf, '\n')
		if len(t.buf) >= writeSize {
			if err := t.write(); err != nil {
				return err
			}
		}
	}
	if err := t.write(); err != nil {
		t.log.Warn("lines kept back", "bytes", len(t.buf), "err", err)
	}
	return nil
}

// write writes the collected lines. What a full disk did not take stays collected, to be written later.
func (t *sinkTask) write() error {
	if len(t.buf) == 0 {
		return nil
	}
	n, err := t.f.Write(t.buf)
	t.dirty = t.dirty || n > 0
	t.buf = t.buf[:copy(t.buf, t.buf[n:])]
	if err != nil {
		return &connectors.RetriableError{Err: fmt.Errorf("write to file: %w", err)}
	}
	if cap(t.buf) > 4*writeSize {
		t.buf = nil
	}
	return nil
}

// Flush writes and syncs: the lines outlive a power failure once their offsets are committed.
func (t *sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	if err := t.write(); err != nil || !t.dirty || t.stdout {
		return err
	}
	if err := syncData(t.f); err != nil {
		return fmt.Errorf("sync file: %w", err)
	}
	t.dirty = false
	return nil
}

func (t *sinkTask) Stop(context.Context) error {
	if t.f == nil {
		return nil
	}
	// What was not flushed is not committed: it comes again.
	err := t.write()
	if !t.stdout {
		err = errors.Join(err, t.f.Close())
	}
	t.f = nil
	return err
}
