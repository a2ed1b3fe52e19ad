package main

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"millrace/connectors"
)

var sinkConfig = connectors.NewConfigDef(key("file", "The file to append lines to."))

type sink struct{ config map[string]string }

func (s *sink) Start(_ connectors.ConnectorContext, config map[string]string) error {
	s.config = config
	_, err := sinkConfig.Parse(connectors.Raw(config))
	return err
}

// TaskConfigs gives each task the same file: appends of whole lines do not disturb each other.
func (s *sink) TaskConfigs(maxTasks int) ([]map[string]string, error) {
	configs := make([]map[string]string, maxTasks)
	for i := range configs {
		configs[i] = s.config
	}
	return configs, nil
}

func (s *sink) NewTask() connectors.SinkTask { return &sinkTask{} }
func (s *sink) Stop() error                  { return nil }

type sinkTask struct {
	file   *os.File
	writer *bufio.Writer
}

func (t *sinkTask) Start(_ context.Context, _ connectors.SinkTaskContext, config map[string]string) error {
	values, err := sinkConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	if t.file, err = os.OpenFile(values.String("file"), os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	t.writer = bufio.NewWriterSize(t.file, 64<<10)
	return t.endTornLine()
}

// endTornLine ends a line of which a process that was killed has only written a part, so that the next one, which may be the same
// record again, stays whole.
func (t *sinkTask) endTornLine() error {
	info, err := t.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := t.file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = t.file.WriteString("\n")
	}
	return err
}

func (t *sinkTask) Put(_ context.Context, records []connectors.SinkRecord) error {
	for i := range records {
		if _, err := fmt.Fprintln(t.writer, records[i].Value); err != nil {
			return err
		}
	}
	return nil
}

// Flush returns when the lines are on the disk: then the worker may forget the records.
func (t *sinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	if err := t.writer.Flush(); err != nil {
		return err
	}
	return t.file.Sync()
}

func (t *sinkTask) Stop(context.Context) error {
	if t.file == nil {
		return nil
	}
	return t.file.Close() // what was not flushed comes again
}
