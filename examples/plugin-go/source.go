package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"millrace/connectors"
)

var sourceConfig = connectors.NewConfigDef(key("file", "The file to read lines from."), key("topic", "The topic to write to."))

// source needs one task: a file has one reader.
type source struct{ config map[string]string }

func (s *source) Start(_ connectors.ConnectorContext, config map[string]string) error {
	s.config = config
	_, err := sourceConfig.Parse(connectors.Raw(config))
	return err
}

func (s *source) TaskConfigs(int) ([]map[string]string, error) {
	return []map[string]string{s.config}, nil
}
func (s *source) NewTask() connectors.SourceTask { return &sourceTask{} }
func (s *source) Stop() error                    { return nil }

// sourceTask reads whole lines. Its position is the number of bytes before the next line.
type sourceTask struct {
	topic     string
	file      *os.File
	reader    *bufio.Reader
	line      string // the part of the next line that is there
	position  int64
	partition *connectors.SourcePartition
}

func (t *sourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	values, err := sourceConfig.Parse(connectors.Raw(config))
	if err != nil {
		return err
	}
	t.topic = values.String("topic")
	t.partition = connectors.NewSourcePartition(map[string]any{"file": values.String("file")})
	offset, err := tc.Offset(ctx, t.partition)
	if err != nil {
		return err
	}
	t.position, _ = offset["position"].(int64) // none yet: the beginning
	if t.file, err = os.Open(values.String("file")); err != nil {
		return err
	}
	if _, err := t.file.Seek(t.position, io.SeekStart); err != nil {
		return fmt.Errorf("go on at byte %d: %w", t.position, err)
	}
	t.reader = bufio.NewReader(t.file)
	tc.Logger().Info("reading", "file", values.String("file"), "position", t.position)
	return nil
}

func (t *sourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	var records []connectors.SourceRecord
	for len(records) < 1000 {
		part, err := t.reader.ReadString('\n')
		t.line += part
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		t.position += int64(len(t.line))
		records = append(records, connectors.SourceRecord{
			Record: connectors.Record{
				Topic: t.topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp,
				ValueSchema: connectors.StringSchema, Value: strings.TrimSuffix(t.line, "\n"),
			},
			SourcePartition: t.partition, SourceOffset: connectors.OffsetMap{"position": t.position},
		})
		t.line = ""
	}
	if len(records) == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return records, nil
}

func (t *sourceTask) Stop(context.Context) error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}
