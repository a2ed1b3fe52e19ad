package runtime_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"millrace/broker"
	"millrace/broker/brokertest"
	"millrace/connectors"
	"millrace/connectors/file"
	"millrace/plugins"
	"millrace/plugins/converters"
	"millrace/plugins/transforms"
	"millrace/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something outside the test's goroutine.
const patience = 30 * time.Second

// eventually polls until ok: only for what is told by nobody.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("timed out: %s", what)
		}
	}
}

// pause is a moment of waiting for a process outside the test's reach.
func pause() {
	timer := time.NewTimer(5 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
}

// noLevels are loggers that take any level.
type noLevels struct{ runtime.LogLevels }

func (noLevels) SetLogger(context.Context, string, string) ([]string, error) { return nil, nil }

// acceptAll is a Validator without rules.
type acceptAll struct{ runtime.Validator }

func (acceptAll) ValidateConfig(context.Context, string, connectors.RawConfig) (runtime.ConfigInfos, error) {
	return runtime.ConfigInfos{}, nil
}

// testLog is the log that a test runs on.
type testLog interface {
	Addr() string
	Client(opts ...kgo.Opt) *kgo.Client
	CreateTopic(name string, partitions int32, configs ...string)
}

// worker runs a Runtime that can be stopped and started on the same state.
type worker struct {
	t      testing.TB
	broker testLog
	fakes  *fakes
	cfg    runtime.Config
	*runtime.Runtime
	runtime.Herder
	stop func()
}

func startWorker(t testing.TB, change ...func(*runtime.Config)) *worker {
	t.Helper()
	return startWorkerOn(t, brokertest.Start(t, quickGroups), change...)
}

// quickGroups are those of a log inside a worker: new groups begin at once.
func quickGroups(c *broker.Config) { c.Groups = broker.EmbeddedConfig().Groups }

func startWorkerOn(t testing.TB, b testLog, change ...func(*runtime.Config)) *worker {
	t.Helper()
	cfg := runtime.DefaultConfig()
	cfg.Bootstrap = []string{b.Addr()}
	if integrated, ok := b.(*brokertest.Cluster); ok {
		cfg.Dialer = integrated.DialContext
	}
	cfg.WorkerID = "127.0.0.1:8083"
	cfg.OffsetFlushInterval = 50 * time.Millisecond
	const text = "org.apache.kafka.connect.storage.StringConverter"
	cfg.KeyConverter.Class, cfg.ValueConverter.Class = text, text
	cfg.OffsetTopic.Partitions = 5
	cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, f := range change {
		f(&cfg)
	}
	w := &worker{t: t, broker: b, cfg: cfg, fakes: newFakes()}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *worker) registry() *plugins.Registry {
	w.t.Helper()
	reg := plugins.New()
	for _, list := range [][]connectors.Plugin{converters.Plugins(), transforms.Plugins(), file.Plugins(), w.fakes.plugins()} {
		if err := reg.Add(list...); err != nil {
			w.t.Fatal(err)
		}
	}
	return reg
}

func (w *worker) start() {
	w.t.Helper()
	r, err := runtime.New(w.cfg, w.registry(), acceptAll{}, noLevels{})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	w.Runtime, w.Herder = r, r.Herder()
	w.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("run: %v", err)
		}
		w.stop = func() {}
	}
	select {
	case <-r.Ready():
	case <-time.After(patience):
		w.t.Fatal("worker is not ready")
	}
}

func (w *worker) restart() {
	w.stop()
	w.start()
}

func (w *worker) put(config map[string]string) {
	w.t.Helper()
	if _, _, err := w.PutConfig(w.t.Context(), config["name"], connectors.Raw(config)); err != nil {
		w.t.Fatal(err)
	}
}

// await waits for a connector's state and those of its tasks.
func (w *worker) await(name string, connector runtime.State, tasks ...runtime.State) runtime.ConnectorStatus {
	w.t.Helper()
	var st runtime.ConnectorStatus
	eventually(w.t, fmt.Sprintf("%s %s %v", name, connector, tasks), func() bool {
		var err error
		st, err = w.Status(w.t.Context(), name)
		if err != nil || st.Connector.State != connector || len(st.Tasks) != len(tasks) {
			return false
		}
		for i, s := range tasks {
			if st.Tasks[i].State != s {
				return false
			}
		}
		return true
	})
	return st
}

// consume reads n values of a topic from its beginning.
func (w *worker) consume(topic string, n int) []*kgo.Record {
	w.t.Helper()
	client := w.broker.Client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond))
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		f := client.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("topic %s has %d of %d records", topic, len(records), n)
		}
		f.EachRecord(func(r *kgo.Record) { records = append(records, r) })
	}
	return records
}

func (w *worker) produce(topic string, values ...string) {
	w.t.Helper()
	client := w.broker.Client(kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(50*time.Millisecond))
	defer client.Close()
	for _, v := range values {
		client.Produce(w.t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}, func(_ *kgo.Record, err error) {
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	if err := client.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

// fakes are a source and a sink whose other end is the test. Keyed by connector name, so that restarted tasks find it again.
type fakes struct {
	// lines is the value of every record of sources, for benchmarks; empty: the number.
	lines   string
	mu      sync.Mutex
	started map[string]int // by connector-task
	sources map[string]*fakeSystem
	sinks   map[string]*fakeTarget
}

func newFakes() *fakes {
	return &fakes{started: make(map[string]int), sources: make(map[string]*fakeSystem), sinks: make(map[string]*fakeTarget)}
}

// starts are how often each source task was started.
func (f *fakes) starts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.started)
}

func (f *fakes) start(task string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started[task]++
}

// source returns the system behind a source connector: numbers from 0 up to limit.
func (f *fakes) source(name string) *fakeSystem {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sources[name] == nil {
		f.sources[name] = &fakeSystem{committed: make(map[int64]int)}
	}
	return f.sources[name]
}

func (f *fakes) sink(name string) *fakeTarget {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sinks[name] == nil {
		f.sinks[name] = &fakeTarget{}
	}
	return f.sinks[name]
}

func (f *fakes) plugins() []connectors.Plugin {
	none := connectors.NewConfigDef()
	return []connectors.Plugin{
		{Kind: connectors.KindSource, Class: "test.NumberSource", Version: "1", Config: none, TaskClass: "test.NumberSourceTask",
			NewSource: func() connectors.Source { return &fakeSource{fakeConnector{f: f}} }},
		{Kind: connectors.KindSink, Class: "test.ListSink", Version: "1", Config: none, TaskClass: "test.ListSinkTask",
			NewSink: func() connectors.Sink { return &fakeSink{fakeConnector{f: f}} }},
		{Kind: connectors.KindConverter, Class: "test.PickyConverter", Version: "1", Config: none,
			NewConverter: func() connectors.Converter { return pickyConverter{} }},
		{Kind: connectors.KindConverter, Class: "test.EvenConverter", Version: "1", Config: none,
			NewConverter: func() connectors.Converter { return evenConverter{} }},
	}
}

// fakeConnector passes its configuration to as many tasks as the key tasks says.
type fakeConnector struct {
	f      *fakes
	config map[string]string
}

func (c *fakeConnector) Start(_ connectors.ConnectorContext, config map[string]string) error {
	if config["fail"] == "start" {
		return &connectors.ConfigError{Msg: "told to fail"}
	}
	c.config = config
	return nil
}

func (c *fakeConnector) TaskConfigs(limit int) ([]map[string]string, error) {
	n := limit
	if c.config["extra"] != "" {
		n++
	}
	configs := make([]map[string]string, n)
	for i := range configs {
		configs[i] = map[string]string{"name": c.config["name"], "topic": c.config["topic"], "fail": c.config["fail"], "task": strconv.Itoa(i)}
	}
	return configs, nil
}

func (c *fakeConnector) Stop() error { return nil }

type fakeSource struct{ fakeConnector }

func (c *fakeSource) NewTask() connectors.SourceTask { return &fakeSourceTask{f: c.f} }

// fakeSystem holds numbers 0 to limit-1; tests raise limit.
type fakeSystem struct {
	limit  atomic.Int64
	polls  atomic.Int64
	starts atomic.Int64
	count  atomic.Int64 // records committed
	mu     sync.Mutex
	// committed counts CommitRecords per number.
	committed map[int64]int
	err       error
	// away is why the system cannot be reached, awaySince since when.
	away      error
	awaySince time.Time
}

func (s *fakeSystem) setAway(since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaySince, s.away = since, err
}

func (t *fakeSourceTask) Unreachable() (time.Time, error) {
	t.sys.mu.Lock()
	defer t.sys.mu.Unlock()
	return t.sys.awaySince, t.sys.away
}

func (s *fakeSystem) setErr(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *fakeSystem) numbersCommitted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.committed)
}

type fakeSourceTask struct {
	f     *fakes
	sys   *fakeSystem
	topic string
	next  int64
	part  *connectors.SourcePartition
}

type number int64

func (n number) Map() map[string]any { return map[string]any{"next": int64(n)} }

func (t *fakeSourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	t.sys, t.topic = t.f.source(config["name"]), config["topic"]
	t.sys.starts.Add(1)
	t.f.start(config["name"] + "-" + config["task"])
	t.part = connectors.NewSourcePartition(map[string]any{"numbers": "all"})
	offset, err := tc.Offset(ctx, t.part)
	if err != nil {
		return err
	}
	if offset != nil {
		t.next = offset["next"].(int64)
	}
	return nil
}

func (t *fakeSourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	t.sys.polls.Add(1)
	t.sys.mu.Lock()
	err := t.sys.err
	t.sys.mu.Unlock()
	if err != nil {
		if connectors.Retriable(err) {
			return nil, err
		}
		if err.Error() == "panic" {
			panic("told to panic")
		}
		return nil, err
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for t.next >= t.sys.limit.Load() {
		select {
		case <-ticker.C:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	n := min(t.sys.limit.Load()-t.next, 2000)
	records := make([]connectors.SourceRecord, n)
	for i := range records {
		t.next++
		if t.f.lines != "" {
			records[i] = connectors.SourceRecord{
				Record: connectors.Record{Topic: t.topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp,
					ValueSchema: connectors.StringSchema, Value: t.f.lines},
				SourcePartition: t.part, SourceOffset: number(t.next)}
			continue
		}
		records[i] = connectors.SourceRecord{
			Record: connectors.Record{Topic: t.topic, Partition: connectors.NoPartition, Timestamp: connectors.NoTimestamp,
				ValueSchema: connectors.StringSchema, Value: fmt.Sprint(t.next - 1)},
			SourcePartition: t.part, SourceOffset: number(t.next), Handle: t.next - 1,
		}
	}
	return records, nil
}

func (t *fakeSourceTask) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	t.sys.count.Add(int64(len(records)))
	if t.f.lines != "" {
		return nil
	}
	t.sys.mu.Lock()
	defer t.sys.mu.Unlock()
	for _, r := range records {
		t.sys.committed[r.Record.Handle.(int64)]++
	}
	return nil
}

func (t *fakeSourceTask) Stop(context.Context) error { return nil }

type fakeSink struct{ fakeConnector }

func (c *fakeSink) NewTask() connectors.SinkTask { return &fakeSinkTask{f: c.f} }

// fakeTarget keeps what was put.
type fakeTarget struct {
	mu      sync.Mutex
	values  []string
	flushes int
	putErr  func(attempt int) error
	puts    int
	open    map[connectors.TopicPartition]bool
	report  func(r *connectors.SinkRecord) error
	stopped int
	// countOnly is for benchmarks.
	countOnly bool
	counted   atomic.Int64
}

func (s *fakeTarget) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.values)
}

type fakeSinkTask struct {
	f   *fakes
	sys *fakeTarget
	tc  connectors.SinkTaskContext
}

func (t *fakeSinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	t.sys, t.tc = t.f.sink(config["name"]), tc
	return nil
}

func (t *fakeSinkTask) Put(ctx context.Context, records []connectors.SinkRecord) error {
	s := t.sys
	if s.countOnly {
		s.counted.Add(int64(len(records)))
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	if s.putErr != nil && len(records) > 0 {
		if err := s.putErr(s.puts); err != nil {
			t.tc.SetTimeout(10 * time.Millisecond)
			return err
		}
	}
	for i := range records {
		if s.report != nil {
			if err := s.report(&records[i]); err != nil {
				if err := t.tc.ErrantRecordReporter().Report(ctx, &records[i], err); err != nil {
					return err
				}
				continue
			}
		}
		s.values = append(s.values, fmt.Sprint(records[i].Value))
	}
	return nil
}

func (t *fakeSinkTask) Flush(context.Context, map[connectors.TopicPartition]int64) error {
	t.sys.mu.Lock()
	defer t.sys.mu.Unlock()
	t.sys.flushes++
	return nil
}

func (t *fakeSinkTask) OpenPartitions(_ context.Context, parts []connectors.TopicPartition) error {
	t.sys.mu.Lock()
	defer t.sys.mu.Unlock()
	if t.sys.open == nil {
		t.sys.open = make(map[connectors.TopicPartition]bool)
	}
	for _, p := range parts {
		t.sys.open[p] = true
	}
	return nil
}

func (t *fakeSinkTask) ClosePartitions(_ context.Context, parts []connectors.TopicPartition) error {
	t.sys.mu.Lock()
	defer t.sys.mu.Unlock()
	for _, p := range parts {
		delete(t.sys.open, p)
	}
	return nil
}

func (t *fakeSinkTask) Stop(context.Context) error {
	t.sys.mu.Lock()
	defer t.sys.mu.Unlock()
	t.sys.stopped++
	return nil
}

// pickyConverter refuses values with an x.
type pickyConverter struct{}

func (pickyConverter) Configure(map[string]string, bool) error { return nil }
func (pickyConverter) Close() error                            { return nil }

func picky(s string) error {
	for _, r := range s {
		if r == 'x' {
			return &connectors.DataError{Msg: "no x, please: " + s}
		}
	}
	return nil
}

func (pickyConverter) FromConnect(_ string, _ connectors.Headers, _ *connectors.Schema, v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	s := fmt.Sprint(v)
	return []byte(s), picky(s)
}

// evenConverter refuses odd numbers.
type evenConverter struct{ pickyConverter }

func (evenConverter) FromConnect(_ string, _ connectors.Headers, _ *connectors.Schema, v any) ([]byte, error) {
	s := fmt.Sprint(v)
	if strings.ContainsAny(s[len(s)-1:], "13579") {
		return nil, &connectors.DataError{Msg: s + " is odd"}
	}
	return []byte(s), nil
}

func (pickyConverter) ToConnect(_ string, _ connectors.Headers, data []byte) (connectors.SchemaAndValue, error) {
	if data == nil {
		return connectors.SchemaAndValue{}, nil
	}
	return connectors.SchemaAndValue{Schema: connectors.StringSchema, Value: string(data)}, picky(string(data))
}
