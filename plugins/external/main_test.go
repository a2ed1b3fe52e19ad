package external_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/plugins/external/externaltest"
	"millrace/plugins/serve"
)

// TestMain lets the test's binary be the plugin program too. MODE chooses how it misbehaves before it serves.
func TestMain(m *testing.M) {
	if os.Getenv(externaltest.Marker) != "" {
		switch os.Getenv("MODE") {
		case "garbage":
			fmt.Println(strings.Repeat("garbage ", 100))
		case "long garbage":
			_, _ = os.Stdout.Write(bytes.Repeat([]byte("x"), 1<<20)) // nobody may read it
		case "exit":
			fmt.Fprintln(os.Stderr, "cannot find my library")
			os.Exit(7)
		case "silent":
			select {}
		}
		serve.Main(faulty()...)
	}
	goleak.VerifyTestMain(m)
}

var faultConfig = connectors.NewConfigDef(
	connectors.ConfigKey{Name: "fault", Type: connectors.ConfigString, Default: "", Importance: connectors.Low, Doc: "What goes wrong.",
		Validator: connectors.CheckFunc("anything but nonsense", func(v any) string {
			if v == "nonsense" {
				return "that is nonsense"
			}
			return ""
		})},
	connectors.ConfigKey{Name: "list", Type: connectors.ConfigList, Default: []string{"a", "b"}, Importance: connectors.Low, Doc: "A list."},
)

// faulty are a source and a sink that go wrong as their configuration says.
func faulty() []connectors.Plugin {
	return []connectors.Plugin{
		{Kind: connectors.KindSource, Class: "test.Source", Config: faultConfig, Version: "1", NewSource: func() connectors.Source { return &faultySource{} }},
		{Kind: connectors.KindSink, Class: "test.Sink", Config: faultConfig, Version: "1", NewSink: func() connectors.Sink { return &faultySink{} }},
	}
}

type faultyConnector struct{ config map[string]string }

func (c *faultyConnector) Start(ctx connectors.ConnectorContext, config map[string]string) error {
	c.config = config
	switch config["fault"] {
	case "refuse":
		return &connectors.ConfigError{Msg: "fault: refused"}
	case "raise":
		ctx.RequestTaskReconfiguration()
		ctx.RaiseError(errors.New("raised"))
	}
	return nil
}

func (c *faultyConnector) TaskConfigs(int) ([]map[string]string, error) {
	return []map[string]string{c.config}, nil
}
func (c *faultyConnector) Stop() error { return nil }

type faultySource struct{ faultyConnector }

func (*faultySource) NewTask() connectors.SourceTask { return &counter{} }

type faultySink struct{ faultyConnector }

func (*faultySink) NewTask() connectors.SinkTask { return &faultySinkTask{} }

// counter counts from the committed offset; its values are its process id and the number.
type counter struct {
	fault     string
	next      int64
	committed int
	partition *connectors.SourcePartition
	log       connectors.Logger
}

var leaked [][]byte

func (c *counter) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	c.fault, c.log = config["fault"], tc.Logger()
	if c.fault == "hang in Start" {
		select {}
	}
	c.partition = connectors.NewSourcePartition(map[string]any{"counter": "one"})
	offset, err := tc.Offset(ctx, c.partition)
	c.next, _ = offset["next"].(int64)
	return err
}

func (c *counter) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	switch c.fault {
	case "hang in Poll":
		select {}
	case "panic":
		panic("no such thing")
	case "exit":
		os.Exit(3)
	case "retriable":
		c.fault = ""
		return nil, &connectors.RetriableError{Err: errors.New("not now")}
	case "print":
		fmt.Println("garbage on standard output")
		if err := exec.CommandContext(ctx, "sh", "-c", "head -c 300000 /dev/zero >/proc/"+strconv.Itoa(os.Getpid())+"/fd/1").Run(); err != nil {
			return nil, err
		}
	case "leak":
		b := make([]byte, 8<<20)
		for i := range b {
			b[i] = 1
		}
		leaked = append(leaked, b)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
		return nil, nil
	case "big":
		return c.records(10_000, strings.Repeat("x", 500)), nil
	}
	select {
	case <-time.After(time.Millisecond):
	case <-ctx.Done():
	}
	return c.records(10, strconv.Itoa(os.Getpid())), nil
}

func (c *counter) records(n int, text string) []connectors.SourceRecord {
	records := make([]connectors.SourceRecord, n)
	for i := range records {
		c.next++
		records[i] = connectors.SourceRecord{
			Record: connectors.Record{Topic: "numbers", Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp,
				KeySchema: connectors.Int64Schema, Key: c.next - 1, ValueSchema: connectors.StringSchema, Value: text},
			SourcePartition: c.partition, SourceOffset: connectors.OffsetMap{"next": c.next}, Handle: c.next - 1,
		}
	}
	return records
}

func (c *counter) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	for _, r := range records {
		if r.Record.Handle != int64(c.committed) || r.Record.Key != int64(c.committed) {
			return fmt.Errorf("record %v comes back with handle %v, want %d", r.Record.Key, r.Record.Handle, c.committed)
		}
		c.committed++
	}
	return nil
}

func (c *counter) Stop(context.Context) error {
	if c.fault == "hang in Stop" {
		select {}
	}
	return nil
}

type faultySinkTask struct {
	fault string
	tc    connectors.SinkTaskContext
	last  []connectors.SinkRecord
}

func (s *faultySinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	s.fault, s.tc = config["fault"], tc
	return nil
}

func (s *faultySinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	s.last = records
	switch s.fault {
	case "hang in Put":
		select {}
	case "wait for cancel":
		<-ctx.Done()
		return ctx.Err()
	case "wishes":
		s.tc.SetTimeout(5 * time.Second)
		s.tc.Pause(connectors.TopicPartition{Topic: "topic"})
		s.tc.SetOffsets(map[connectors.TopicPartition]int64{{Topic: "topic"}: 7})
		s.tc.RequestCommit()
		for _, r := range records {
			if err := s.tc.ErrantRecordReporter().Report(ctx, &r, &connectors.DataError{Msg: "bad " + fmt.Sprint(r.Value)}); err != nil {
				return err
			}
		}
	case "retriable":
		s.fault = ""
		return &connectors.RetriableError{Err: errors.New("not now")}
	}
	return nil
}

func (s *faultySinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	return nil
}
func (s *faultySinkTask) Stop(context.Context) error { return nil }
