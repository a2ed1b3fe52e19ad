package controller_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"millrace/broker/controller"
	"millrace/broker/metadata"
	"millrace/broker/quorum"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeQuorum is a log that commits at once, unless held.
type fakeQuorum struct {
	updates chan quorum.Update

	mu      sync.Mutex
	term    uint64
	index   uint64
	held    bool
	waiting []quorum.Entry
	refuse  error
	log     []quorum.Entry
	snap    quorum.Snapshot
}

func newFakeQuorum() *fakeQuorum {
	q := &fakeQuorum{updates: make(chan quorum.Update, 1000), term: 1, index: 1}
	q.updates <- quorum.Update{Snapshot: &quorum.Snapshot{Index: 1, Term: 1}}
	return q
}

func (q *fakeQuorum) lead(term uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.term = term
	q.index++
	q.updates <- quorum.Update{Role: &quorum.Role{Term: term, Self: 1, Leader: 1, Leading: true}}
}

func (q *fakeQuorum) Updates() <-chan quorum.Update { return q.updates }

func (q *fakeQuorum) Propose(_ context.Context, term uint64, data ...[]byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuse != nil {
		return q.refuse
	}
	if term != q.term {
		return quorum.ErrNotLeader
	}
	for _, d := range data {
		q.index++
		q.waiting = append(q.waiting, quorum.Entry{Index: q.index, Term: term, Data: d})
	}
	if !q.held {
		q.commitLocked()
	}
	return nil
}

func (q *fakeQuorum) commitLocked() {
	q.log = append(q.log, q.waiting...)
	q.updates <- quorum.Update{Entries: q.waiting}
	q.waiting = nil
}

func (q *fakeQuorum) ProposeChange(context.Context, uint64, quorum.Change) error { return nil }

func (q *fakeQuorum) Status(context.Context) (quorum.Status, error) { return quorum.Status{}, nil }

func (q *fakeQuorum) Compact(_ context.Context, index uint64, state []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.snap = quorum.Snapshot{Index: index, Data: state}
}

func start(t *testing.T, q controller.Quorum, configure ...func(*controller.Config)) *controller.Controller {
	t.Helper()
	cfg := controller.Config{NodeID: 1, Quorum: q, Rand: rand.NewChaCha8([32]byte{1}), NumPartitions: 3, Features: map[string]int16{"metadata.version": 1}}
	for _, f := range configure {
		f(&cfg)
	}
	c, err := controller.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	return c
}

func run(t *testing.T, c *controller.Controller) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// cluster is a controller with brokers 1 to n.
func cluster(t *testing.T, n int) (*controller.Controller, *fakeQuorum) {
	t.Helper()
	q := newFakeQuorum()
	c := start(t, q)
	q.lead(1)
	for id := range n {
		register(t, c, metadata.BrokerID(id+1), 1)
	}
	return c, q
}

func register(t *testing.T, c *controller.Controller, id metadata.BrokerID, incarnation byte) int64 {
	t.Helper()
	epoch, err := c.RegisterBroker(t.Context(), controller.Registration{ID: id, Incarnation: [16]byte{incarnation}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Heartbeat(t.Context(), controller.Heartbeat{ID: id, Epoch: epoch, Seen: uint64(epoch)})
	if err != nil || a.Fenced {
		t.Fatalf("heartbeat of broker %d: %+v, %v", id, a, err)
	}
	return epoch
}

func topic(name string) controller.NewTopic {
	return controller.NewTopic{Name: name, Partitions: controller.UseDefault, ReplicationFactor: controller.UseDefault}
}

func config(kv ...string) []controller.ConfigValue {
	var vs []controller.ConfigValue
	for i := 0; i < len(kv); i += 2 {
		vs = append(vs, controller.ConfigValue{Name: kv[i], Value: &kv[i+1]})
	}
	return vs
}

func create(t *testing.T, c *controller.Controller, topics ...controller.NewTopic) []controller.CreatedTopic {
	t.Helper()
	made, err := c.CreateTopics(t.Context(), topics, false)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestCreateTopics(t *testing.T) {
	c, _ := cluster(t, 3)
	replicas := func(ids ...metadata.BrokerID) []metadata.BrokerID { return ids }
	manual := func(a ...controller.Assignment) controller.NewTopic {
		n := topic("manual")
		n.Assignment = a
		return n
	}
	with := func(n controller.NewTopic, partitions int32, replication int16, configs ...string) controller.NewTopic {
		n.Partitions, n.ReplicationFactor, n.Configs = partitions, replication, config(configs...)
		return n
	}
	create(t, c, topic("there"), topic("a.b"))
	for name, tc := range map[string]struct {
		topic controller.NewTopic
		kind  error
	}{
		"partitions zero":              {with(topic("x"), 0, 1), metadata.ErrInvalidPartitions},
		"partitions below the default": {with(topic("x"), -2, 1), metadata.ErrInvalidPartitions},
		"replication zero":             {with(topic("x"), 1, 0), metadata.ErrInvalidReplicationFactor},
		"replication above brokers":    {with(topic("x"), 1, 4), metadata.ErrInvalidReplicationFactor},
		"both wrong":                   {with(topic("x"), 0, 0), metadata.ErrInvalidReplicationFactor},
		"bad name":                     {topic("a b"), metadata.ErrInvalidTopic},
		"colliding name":               {topic("a_b"), metadata.ErrInvalidTopic},
		"existing":                     {topic("there"), metadata.ErrTopicExists},
		"metadata topic":               {topic("__cluster_metadata"), metadata.ErrInvalidRequest},
		"unknown config":               {with(topic("x"), 1, 1, "message.format.version", "2"), metadata.ErrInvalidConfig},
		"config out of its rule":       {with(topic("x"), 1, 1, "min.insync.replicas", "0"), metadata.ErrInvalidConfig},
		"configs at odds":              {with(topic("x"), 1, 1, "max.compaction.lag.ms", "5", "min.compaction.lag.ms", "6"), metadata.ErrInvalidConfig},
		"null config":                  {controller.NewTopic{Name: "x", Partitions: 1, ReplicationFactor: 1, Configs: []controller.ConfigValue{{Name: "retention.ms"}}}, metadata.ErrInvalidConfig},
		"assignment with count":        {controller.NewTopic{Name: "x", Partitions: 1, ReplicationFactor: -1, Assignment: []controller.Assignment{{Replicas: replicas(1)}}}, metadata.ErrInvalidRequest},
		"assignment with a gap":        {manual(controller.Assignment{Partition: 1, Replicas: replicas(1)}), metadata.ErrInvalidReplicaAssignment},
		"assignment twice":             {manual(controller.Assignment{Replicas: replicas(1)}, controller.Assignment{Replicas: replicas(1)}), metadata.ErrInvalidReplicaAssignment},
		"assignment to nobody":         {manual(controller.Assignment{}), metadata.ErrInvalidReplicaAssignment},
		"assignment to a stranger":     {manual(controller.Assignment{Replicas: replicas(9)}), metadata.ErrInvalidReplicaAssignment},
		"assignment to one twice":      {manual(controller.Assignment{Replicas: replicas(1, 1)}), metadata.ErrInvalidReplicaAssignment},
		"assignments of unequal width": {manual(controller.Assignment{Replicas: replicas(1)}, controller.Assignment{Partition: 1, Replicas: replicas(1, 2)}), metadata.ErrInvalidReplicaAssignment},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.Image()
			for _, validateOnly := range []bool{true, false} {
				made, err := c.CreateTopics(t.Context(), []controller.NewTopic{tc.topic}, validateOnly)
				if err != nil {
					t.Fatal(err)
				}
				if len(made) != 1 || !errors.Is(made[0].Err, tc.kind) {
					t.Errorf("validate only %t: %+v, want %v", validateOnly, made, tc.kind)
				}
			}
			if c.Image() != before {
				t.Error("the image changed")
			}
		})
	}

	t.Run("twice in a request", func(t *testing.T) {
		made := create(t, c, topic("twice"), topic("once"), topic("twice"))
		if len(made) != 2 || !errors.Is(made[0].Err, metadata.ErrInvalidRequest) || made[1].Err != nil {
			t.Errorf("%+v", made)
		}
	})
	t.Run("colliding within a request", func(t *testing.T) {
		made := create(t, c, topic("c.d"), topic("c_d"))
		if made[0].Err != nil || !errors.Is(made[1].Err, metadata.ErrInvalidTopic) {
			t.Errorf("%+v", made)
		}
	})
	t.Run("defaults and placement", func(t *testing.T) {
		made := create(t, c, with(topic("placed"), -1, 2, "cleanup.policy", "compact, delete", "retention.ms", " 5 "))
		if made[0].Err != nil || made[0].Partitions != 3 || made[0].ReplicationFactor != 2 {
			t.Fatalf("%+v", made)
		}
		leaders := make(map[metadata.BrokerID]bool)
		for _, p := range c.Image().Topic("placed").Partitions {
			leaders[p.Leader] = true
			if p.Leader != p.Replicas[0] || !cmp.Equal(p.ISR, p.Replicas) || p.LeaderEpoch != 0 {
				t.Errorf("%+v", p)
			}
		}
		if len(leaders) != 3 {
			t.Errorf("leaders of three partitions: %v", leaders)
		}
		want := map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "5"}
		if diff := cmp.Diff(want, c.Image().Config(metadata.TopicResource("placed"))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("validate only", func(t *testing.T) {
		made, err := c.CreateTopics(t.Context(), []controller.NewTopic{topic("ghost")}, true)
		if err != nil || made[0].Err != nil || made[0].Partitions != 3 || c.Image().Topic("ghost") != nil {
			t.Errorf("%+v, %v", made, err)
		}
	})
}

func TestDeleteTopics(t *testing.T) {
	c, _ := cluster(t, 1)
	made := create(t, c, topic("a"), topic("b"), topic("c"))
	unknown := metadata.TopicID{1}
	got, err := c.DeleteTopics(t.Context(), []controller.TopicRef{
		{Name: "a"}, {ID: made[0].ID}, {ID: made[1].ID}, {Name: "c", ID: made[2].ID}, {}, {Name: "no"}, {ID: unknown},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []controller.DeletedTopic{
		{Name: "a", ID: made[0].ID, Err: metadata.ErrInvalidRequest},
		{Name: "b", ID: made[1].ID},
		{Name: "c", ID: made[2].ID, Err: metadata.ErrInvalidRequest},
		{Err: metadata.ErrInvalidRequest},
		{Name: "no", Err: metadata.ErrUnknownTopic},
		{ID: unknown, Err: metadata.ErrUnknownTopicID},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		t.Error(diff)
	}
	if im := c.Image(); im.Topic("a") == nil || im.Topic("b") != nil {
		t.Error("wrong topics deleted")
	}
}

func TestCreatePartitions(t *testing.T) {
	c, _ := cluster(t, 2)
	create(t, c, controller.NewTopic{Name: "a", Partitions: 2, ReplicationFactor: 1})
	for _, tc := range []struct {
		req  controller.MorePartitions
		kind error
	}{
		{controller.MorePartitions{Topic: "a", Count: 2}, metadata.ErrInvalidPartitions},
		{controller.MorePartitions{Topic: "a", Count: 1}, metadata.ErrInvalidPartitions},
		{controller.MorePartitions{Topic: "a", Count: -1}, metadata.ErrInvalidPartitions},
		{controller.MorePartitions{Topic: "no", Count: 3}, metadata.ErrUnknownTopic},
		{controller.MorePartitions{Topic: "a", Count: 3, Assignment: [][]metadata.BrokerID{{1}, {1}}}, metadata.ErrInvalidReplicaAssignment},
		{controller.MorePartitions{Topic: "a", Count: 3, Assignment: [][]metadata.BrokerID{{1, 2}}}, metadata.ErrInvalidReplicaAssignment},
		{controller.MorePartitions{Topic: "a", Count: 3, Assignment: [][]metadata.BrokerID{{7}}}, metadata.ErrInvalidReplicaAssignment},
		{controller.MorePartitions{Topic: "a", Count: 3, Assignment: [][]metadata.BrokerID{{2}}}, nil},
		{controller.MorePartitions{Topic: "a", Count: 5}, nil},
	} {
		got, err := c.CreatePartitions(t.Context(), []controller.MorePartitions{tc.req}, false)
		if err != nil || len(got) != 1 || !errors.Is(got[0].Err, tc.kind) || tc.kind == nil && got[0].Err != nil {
			t.Errorf("%+v: %+v, %v, want %v", tc.req, got, err, tc.kind)
		}
	}
	if n := len(c.Image().Topic("a").Partitions); n != 5 || c.Image().Partition("a", 2).Leader != 2 {
		t.Errorf("%d partitions, partition 2: %+v", n, c.Image().Partition("a", 2))
	}
	got, err := c.CreatePartitions(t.Context(), []controller.MorePartitions{{Topic: "a", Count: 6}, {Topic: "a", Count: 7}}, false)
	if err != nil || len(got) != 1 || !errors.Is(got[0].Err, metadata.ErrInvalidRequest) {
		t.Errorf("same topic twice: %+v, %v", got, err)
	}
}

func TestAlterConfigs(t *testing.T) {
	c, _ := cluster(t, 1)
	n := topic("a")
	n.Configs = config("retention.ms", "1", "segment.ms", "2")
	create(t, c, n)
	a := metadata.TopicResource("a")
	alter := func(r metadata.ConfigResource, ops ...controller.ConfigOp) error {
		t.Helper()
		res, err := c.IncrementalAlterConfigs(t.Context(), []controller.AlterConfigs{{Resource: r, Ops: ops}}, false)
		if err != nil || len(res) != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
		return res[0].Err
	}
	op := func(name string, op controller.OpType, value string) controller.ConfigOp {
		return controller.ConfigOp{Name: name, Op: op, Value: &value}
	}
	expect := func(r metadata.ConfigResource, want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, c.Image().Config(r), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	if err := alter(a, op("retention.ms", controller.OpSet, "7"), op("segment.ms", controller.OpDelete, ""), op("cleanup.policy", controller.OpAppend, "compact")); err != nil {
		t.Fatal(err)
	}
	expect(a, map[string]string{"retention.ms": "7", "cleanup.policy": "delete,compact"})
	if err := alter(a, op("cleanup.policy", controller.OpSubtract, "delete")); err != nil {
		t.Fatal(err)
	}
	expect(a, map[string]string{"retention.ms": "7", "cleanup.policy": "compact"})
	for name, tc := range map[string]struct {
		r    metadata.ConfigResource
		ops  []controller.ConfigOp
		kind error
	}{
		"unknown topic":         {metadata.TopicResource("no"), nil, metadata.ErrUnknownTopic},
		"unknown key":           {a, []controller.ConfigOp{op("retention", controller.OpSet, "1")}, metadata.ErrInvalidConfig},
		"bad value":             {a, []controller.ConfigOp{op("retention.ms", controller.OpSet, "x")}, metadata.ErrInvalidConfig},
		"null value":            {a, []controller.ConfigOp{{Name: "retention.ms"}}, metadata.ErrInvalidRequest},
		"append to a number":    {a, []controller.ConfigOp{op("retention.ms", controller.OpAppend, "1")}, metadata.ErrInvalidConfig},
		"unknown operation":     {a, []controller.ConfigOp{op("retention.ms", 9, "1")}, metadata.ErrInvalidRequest},
		"key twice":             {a, []controller.ConfigOp{op("retention.ms", 0, "1"), op("retention.ms", 1, "1")}, metadata.ErrInvalidRequest},
		"unknown broker":        {metadata.BrokerResource(9), nil, metadata.ErrInvalidRequest},
		"broker with a name":    {metadata.ConfigResource{Type: metadata.ResourceBroker, Name: "x"}, nil, metadata.ErrInvalidRequest},
		"fixed broker key":      {metadata.ClusterResource, []controller.ConfigOp{op("log.dirs", 0, "/")}, metadata.ErrInvalidRequest},
		"other resource":        {metadata.ConfigResource{Type: 8, Name: "1"}, nil, metadata.ErrInvalidRequest},
		"all or nothing of one": {a, []controller.ConfigOp{op("segment.ms", 0, "5"), op("retention.ms", 0, "x")}, metadata.ErrInvalidConfig},
	} {
		if err := alter(tc.r, tc.ops...); !errors.Is(err, tc.kind) {
			t.Errorf("%s: %v, want %v", name, err, tc.kind)
		}
	}
	expect(a, map[string]string{"retention.ms": "7", "cleanup.policy": "compact"})
	if err := alter(metadata.ClusterResource, op("log.retention.hours", 0, "2")); err != nil {
		t.Error(err)
	}
	expect(metadata.ClusterResource, map[string]string{"log.retention.hours": "2"})

	res, err := c.AlterConfigs(t.Context(), []controller.ReplaceConfigs{{Resource: a, Configs: config("segment.ms", "9")}}, true)
	if err != nil || res[0].Err != nil {
		t.Fatalf("%+v, %v", res, err)
	}
	expect(a, map[string]string{"retention.ms": "7", "cleanup.policy": "compact"})
	if res, err = c.AlterConfigs(t.Context(), []controller.ReplaceConfigs{{Resource: a, Configs: config("segment.ms", "9")}}, false); err != nil || res[0].Err != nil {
		t.Fatalf("%+v, %v", res, err)
	}
	expect(a, map[string]string{"segment.ms": "9"})
	if res, _ = c.AlterConfigs(t.Context(), []controller.ReplaceConfigs{{Resource: a}, {Resource: a}}, false); len(res) != 1 || !errors.Is(res[0].Err, metadata.ErrInvalidRequest) {
		t.Errorf("resource twice: %+v", res)
	}
}

func TestRegisterBroker(t *testing.T) {
	c, _ := cluster(t, 1)
	create(t, c, controller.NewTopic{Name: "a", Partitions: 1, ReplicationFactor: 1})
	first := register(t, c, 1, 1)
	if again := register(t, c, 1, 1); again != first {
		t.Errorf("a retry got epoch %d after %d", again, first)
	}
	if e := c.Image().Partition("a", 0).LeaderEpoch; e != 0 {
		t.Errorf("leader epoch %d after a retry", e)
	}
	if second := register(t, c, 1, 2); second <= first {
		t.Errorf("a new process got epoch %d after %d", second, first)
	}
	if p := c.Image().Partition("a", 0); p.LeaderEpoch != 1 || p.Leader != 1 {
		t.Errorf("after a restart: %+v", p)
	}
	if _, err := c.RegisterBroker(t.Context(), controller.Registration{ID: 1, Incarnation: [16]byte{3}, CleanLogs: true}); err != nil {
		t.Fatal(err)
	}
	if p := c.Image().Partition("a", 0); p.LeaderEpoch != 1 {
		t.Errorf("after a clean restart: %+v", p)
	}
}

func TestAllocateProducerIDs(t *testing.T) {
	c, _ := cluster(t, 0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[int64]bool)
	for range 20 {
		wg.Go(func() {
			b, err := c.AllocateProducerIDs(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[b.First] || b.First%1000 != 0 || b.Count != 1000 {
				t.Errorf("block %+v", b)
			}
			seen[b.First] = true
		})
	}
	wg.Wait()
}

func TestAnswersAfterSubscribers(t *testing.T) {
	q := newFakeQuorum()
	c, err := controller.New(controller.Config{Quorum: q})
	if err != nil {
		t.Fatal(err)
	}
	var opened []string // no lock: the answer must come after
	c.Subscribe(func(old, next *metadata.Image) {
		for _, topic := range metadata.Diff(old, next).CreatedTopics {
			if c.Image().Topic(topic.Name) != nil {
				t.Error("published before the subscriber saw it")
			}
			opened = append(opened, topic.Name)
		}
	})
	run(t, c)
	q.lead(1)
	register(t, c, 1, 1)
	create(t, c, topic("a"))
	if diff := cmp.Diff([]string{"a"}, opened); diff != "" {
		t.Error(diff)
	}
}

func TestLeadership(t *testing.T) {
	q := newFakeQuorum()
	c := start(t, q)
	q.lead(1)
	register(t, c, 1, 1)

	t.Run("a refusal waits for what it was based on", func(t *testing.T) {
		q.mu.Lock()
		q.held = true
		q.mu.Unlock()
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			made, err := c.CreateTopics(t.Context(), []controller.NewTopic{topic("a")}, false)
			first <- errors.Join(err, made[0].Err)
		}()
		await(t, func() bool { q.mu.Lock(); defer q.mu.Unlock(); return len(q.waiting) == 1 })
		go func() {
			made, err := c.CreateTopics(t.Context(), []controller.NewTopic{topic("a")}, false)
			if err == nil && !errors.Is(made[0].Err, metadata.ErrTopicExists) {
				err = errors.New("second creation of a topic in flight was not refused")
			}
			second <- err
		}()
		select {
		case err := <-second:
			t.Errorf("answered before the commit: %v", err)
		case err := <-first:
			t.Errorf("answered before the commit: %v", err)
		default:
		}
		q.mu.Lock()
		q.held = false
		q.commitLocked()
		q.mu.Unlock()
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
	})

	t.Run("what was in flight when the leadership went is unknown", func(t *testing.T) {
		q.mu.Lock()
		q.held = true
		q.mu.Unlock()
		answer := make(chan error, 1)
		go func() {
			_, err := c.CreateTopics(t.Context(), []controller.NewTopic{topic("lost")}, false)
			answer <- err
		}()
		await(t, func() bool { q.mu.Lock(); defer q.mu.Unlock(); return len(q.waiting) == 1 })
		q.updates <- quorum.Update{Role: &quorum.Role{Term: 2, Self: 1, Leader: 2}}
		if err := <-answer; !errors.Is(err, controller.ErrNotController) {
			t.Errorf("got %v, want ErrNotController", err)
		}
		if _, err := c.AllocateProducerIDs(t.Context()); !errors.Is(err, controller.ErrNotController) {
			t.Errorf("a follower answered %v, want ErrNotController", err)
		}
		q.mu.Lock()
		q.waiting, q.held = nil, false
		q.mu.Unlock()
		q.lead(3)
		if made := create(t, c, topic("lost")); made[0].Err != nil {
			t.Errorf("the lost record is still in the tip: %v", made[0].Err)
		}
	})

	t.Run("commands wait for an election", func(t *testing.T) {
		q.updates <- quorum.Update{Role: &quorum.Role{Term: 4, Self: 1}}
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() { _, err := c.AllocateProducerIDs(ctx); answer <- err }()
		cancel()
		if err := <-answer; !errors.Is(err, controller.ErrTimeout) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		go func() { _, err := c.AllocateProducerIDs(t.Context()); answer <- err }()
		q.lead(5)
		if err := <-answer; err != nil {
			t.Error(err)
		}
	})

	t.Run("a busy quorum leaves no trace", func(t *testing.T) {
		q.mu.Lock()
		q.refuse = &quorum.AcceptedError{Err: quorum.ErrBusy}
		q.mu.Unlock()
		if _, err := c.CreateTopics(t.Context(), []controller.NewTopic{topic("busy")}, false); !errors.Is(err, controller.ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
		q.mu.Lock()
		q.refuse = nil
		q.mu.Unlock()
		if made := create(t, c, topic("busy")); made[0].Err != nil {
			t.Error(made[0].Err)
		}
	})
}
