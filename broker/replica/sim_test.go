package replica

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/batch"
	"millrace/broker/controller"
	"millrace/broker/internal/vfs"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// The simulation runs a partition with three replicas, and the controller, in one goroutine on virtual time: messages are lost,
// delayed and so reordered, nodes crash and lose what they had not synced, are cut off, fenced and come back. What was
// acknowledged must be there at the end, at the offset that was told, on every replica.

const simTopic = "t"

var simID = metadata.TopicID{7}

// sim is one run.
type sim struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	queue events
	seq   int
	trace []string

	im     *metadata.Image // the controller's
	decide controller.Decisions
	nodes  map[metadata.BrokerID]*simNode
	calm   bool // no more faults

	produced int
	acked    map[int64]string
	ackedIn  map[int64]string // offset -> where, for the report
	seen     map[int64]string // what anybody has read below a high watermark
}

type simNode struct {
	s    *sim
	id   metadata.BrokerID
	disk *vfs.Mem
	logs *partition.Manager
	r    *Replicas
	im   *metadata.Image
	up   bool
	cut  bool // from everybody
	life int
	// asking: an ISR request is on its way or its answer is.
	asking   bool
	fetching map[fetcherKey]bool
	hw       int64
	epoch    int32
}

type simEvent struct {
	at  time.Time
	seq int
	do  func()
}

type events []simEvent

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(simEvent)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.queue, simEvent{s.now.Add(d), s.seq, do})
}

func (s *sim) logf(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%8.3f ", s.now.Sub(simStart).Seconds())+fmt.Sprintf(format, args...))
}

func (s *sim) fail(format string, args ...any) {
	s.t.Helper()
	s.logf(format, args...)
	tail := s.trace[max(0, len(s.trace)-150):]
	s.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(tail, "\n"))
}

var simStart = time.Unix(1_700_000_000, 0)

func (s *sim) delay() time.Duration {
	d := time.Duration(1+s.rng.IntN(20)) * time.Millisecond
	if !s.calm && s.rng.IntN(20) == 0 {
		d += time.Duration(s.rng.IntN(3000)) * time.Millisecond
	}
	return d
}

// deliver runs do at the other end, unless the message is lost.
func (s *sim) deliver(from, to *simNode, do func()) {
	life := 0
	if to != nil {
		life = to.life
	}
	lost := from != nil && from.cut || to != nil && to.cut || !s.calm && s.rng.IntN(30) == 0
	if lost {
		return
	}
	s.after(s.delay(), func() {
		if to == nil || to.up && to.life == life && !to.cut {
			do()
		}
	})
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		t: t, rng: rand.New(rand.NewPCG(seed, 99)), now: simStart, im: metadata.NewImage(), nodes: make(map[metadata.BrokerID]*simNode),
		acked: make(map[int64]string), ackedIn: make(map[int64]string), seen: make(map[int64]string),
	}
	s.commit(&metadata.ClusterRecord{ClusterID: "c"})
	records := []metadata.Record{&metadata.TopicRecord{Name: simTopic, ID: simID},
		&metadata.ConfigRecord{Resource: metadata.TopicResource(simTopic), Name: "min.insync.replicas", Value: strconv.Itoa(1 + s.rng.IntN(2))}}
	var all []metadata.BrokerID
	for id := metadata.BrokerID(1); id <= 3; id++ {
		s.commit(&metadata.BrokerRecord{ID: id})
		all = append(all, id)
	}
	s.commit(append(records, &metadata.PartitionRecord{Topic: simID, Leader: 1, Replicas: all, ISR: all})...)
	for _, id := range all {
		n := &simNode{s: s, id: id, disk: vfs.NewMem()}
		s.nodes[id] = n
		n.start()
	}
	return s
}

// commit applies records at the controller and tells the nodes, each in its own time but in order.
func (s *sim) commit(records ...metadata.Record) {
	next, err := s.im.Apply(s.im.Index()+1, records)
	if err != nil {
		s.fail("metadata: %v", err)
	}
	s.im = next
	if p := next.Partition(simTopic, 0); p != nil {
		s.logf("controller: leader %d/%d isr %v elr %v partition epoch %d", p.Leader, p.LeaderEpoch, p.ISR, p.ELR, p.PartitionEpoch)
	}
	for _, n := range s.nodes {
		life := n.life
		s.after(s.delay(), func() { n.apply(next, life) })
	}
}

func (n *simNode) apply(im *metadata.Image, life int) {
	if !n.up || n.life != life || n.im.Index() >= im.Index() {
		return
	}
	if n.cut {
		n.s.after(100*time.Millisecond, func() { n.apply(im, life) })
		return
	}
	old := n.im
	n.im = im
	n.r.Apply(old, im)
}

func (n *simNode) start() {
	s := n.s
	n.life++
	n.up, n.asking, n.hw, n.epoch = true, false, 0, -1
	n.fetching = make(map[fetcherKey]bool)
	var err error
	n.logs, err = partition.OpenManager(partition.ManagerConfig{
		Dir: "/data", NodeID: int32(n.id), ClusterID: "c", FS: n.disk, Clock: func() time.Time { return s.now },
		OnISRChange: func(*partition.Partition) {},
	})
	if err != nil {
		s.fail("node %d: %v", n.id, err)
	}
	n.r = New(Config{NodeID: n.id, Logs: n.logs, Clock: func() time.Time { return s.now }, Logger: slog.New(slog.DiscardHandler),
		AlterPartitions: func(context.Context, int64, []controller.ISRChange) ([]controller.ISRResult, error) { return nil, nil },
		Fetch:           Fetch{LagMax: 5 * time.Second}})
	n.im = s.im
	n.r.Apply(metadata.NewImage(), n.im)
	life := n.life
	s.after(0, func() { n.loop(life) })
}

func (n *simNode) p() *partition.Partition { return n.logs.Get(simTopic, 0) }

// loop does what the node's goroutines do, every few milliseconds.
func (n *simNode) loop(life int) {
	if !n.up || n.life != life {
		return
	}
	p := n.p()
	if n.s.rng.IntN(3) == 0 && !p.Following() {
		if err := p.Sync(); err != nil {
			n.s.fail("node %d: sync: %v", n.id, err)
		}
	}
	p.Tick()
	for at, f := range n.r.fetchers {
		if !n.fetching[at] {
			n.fetch(at, f)
		}
	}
	if want := p.ISRPending(); want && !n.asking {
		n.ask(p)
	}
	n.look(p)
	n.s.after(time.Duration(2+n.s.rng.IntN(20))*time.Millisecond, func() { n.loop(life) })
}

// look checks what a consumer could see here.
func (n *simNode) look(p *partition.Partition) {
	hw, epoch := p.HighWatermark(), p.LeaderEpoch()
	if epoch < n.epoch {
		n.s.fail("node %d: leader epoch went back from %d to %d", n.id, n.epoch, epoch)
	}
	if hw < n.hw {
		n.s.fail("node %d: high watermark went back from %d to %d", n.id, n.hw, hw)
	}
	for o := n.hw; o < hw; o++ {
		v := n.read(p, o)
		if was, ok := n.s.seen[o]; ok && was != v {
			n.s.fail("node %d: offset %d is %q, and was %q", n.id, o, v, was)
		}
		n.s.seen[o] = v
	}
	n.hw, n.epoch = hw, epoch
}

func (n *simNode) read(p *partition.Partition, offset int64) string {
	res, err := p.Read(offset, 1<<20, true, partition.ReadReplica)
	if err != nil || len(res.Records) == 0 {
		return fmt.Sprintf("(%v)", err)
	}
	defer res.Release()
	b, _, err := batch.Frame(res.Records)
	if err != nil {
		return err.Error()
	}
	value := ""
	if err := b.Each(0, func(r *batch.Record) error {
		if r.Offset == offset {
			value = string(r.Value)
		}
		return nil
	}); err != nil {
		return err.Error()
	}
	return value
}

// fetch sends a follower's request and brings the answer back.
func (n *simNode) fetch(at fetcherKey, f *fetcher) {
	s := n.s
	req, _ := f.build(s.now)
	if req == nil {
		return
	}
	n.fetching[at] = true
	life := n.life
	answered := false
	leader := s.nodes[at.leader]
	s.deliver(n, leader, func() {
		resp := leader.serve(req)
		s.deliver(leader, n, func() {
			if answered {
				return
			}
			answered = true
			n.fetching[at] = false
			for _, p := range f.handle(resp, s.now) {
				// The machine may stop before the sync, but no fetch leaves before it is done.
				if err := p.SyncFetched(); err != nil {
					s.fail("node %d: %v", n.id, err)
				}
			}
		})
	})
	s.after(time.Second, func() { // the connection broke
		if !answered && n.up && n.life == life {
			answered = true
			n.fetching[at] = false
			f.reset()
		}
	})
}

// serve answers a follower as the Fetch handler does, without sessions.
func (n *simNode) serve(req *kmsg.FetchRequest) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	for _, rt := range req.Topics {
		out := kmsg.NewFetchResponseTopic()
		out.TopicID = rt.TopicID
		for _, rp := range rt.Partitions {
			o := kmsg.NewFetchResponseTopicPartition()
			o.Partition = rp.Partition
			n.serveOne(req, &rp, &o)
			out.Partitions = append(out.Partitions, o)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (n *simNode) serveOne(req *kmsg.FetchRequest, rp *kmsg.FetchRequestTopicPartition, o *kmsg.FetchResponseTopicPartition) {
	p := n.p()
	switch epoch := p.LeaderEpoch(); {
	case p.Following():
		o.ErrorCode = kerr.NotLeaderForPartition.Code
		return
	case rp.CurrentLeaderEpoch < epoch:
		o.ErrorCode = kerr.FencedLeaderEpoch.Code
		return
	case rp.CurrentLeaderEpoch > epoch:
		o.ErrorCode = kerr.UnknownLeaderEpoch.Code
		return
	}
	if rp.LastFetchedEpoch >= 0 {
		epoch, end, err := p.OffsetForLeaderEpoch(rp.LastFetchedEpoch)
		if err != nil {
			o.ErrorCode = kerr.OffsetOutOfRange.Code
			return
		}
		if epoch < rp.LastFetchedEpoch || end < rp.FetchOffset {
			o.DivergingEpoch.Epoch, o.DivergingEpoch.EndOffset = epoch, end
			n.s.logf("node %d: %d diverges: epoch %d to %d, has epoch %d to %d", n.id, req.ReplicaState.ID, epoch, end,
				rp.LastFetchedEpoch, rp.FetchOffset)
			return
		}
	}
	b := n.im.Broker(metadata.BrokerID(req.ReplicaState.ID))
	err := p.FollowerFetched(partition.FollowerFetch{
		Replica: req.ReplicaState.ID, BrokerEpoch: req.ReplicaState.Epoch, LeaderEpoch: rp.CurrentLeaderEpoch, Offset: rp.FetchOffset,
		Eligible: b.Live() && b.Epoch == req.ReplicaState.Epoch,
	})
	var res partition.ReadResult
	if err == nil {
		res, err = p.Read(rp.FetchOffset, 1000, true, partition.ReadReplica)
	}
	switch {
	case errors.Is(err, partition.ErrOffsetOutOfRange):
		o.ErrorCode, o.LogStartOffset = kerr.OffsetOutOfRange.Code, p.LogStartOffset()
	case err != nil:
		o.ErrorCode = kerr.NotLeaderForPartition.Code
	default:
		o.HighWatermark, o.LogStartOffset = res.HighWatermark, res.LogStartOffset
		o.RecordBatches = append([]byte(nil), res.Records...)
		res.Release()
	}
}

// ask sends an ISR change to the controller. Each request may arrive late, and be sent again meanwhile.
func (n *simNode) ask(p *partition.Partition) {
	s := n.s
	want := p.ISRRequest()
	if want == nil {
		return
	}
	ch := controller.ISRChange{Topic: simID, LeaderEpoch: metadata.LeaderEpoch(want.LeaderEpoch), PartitionEpoch: want.PartitionEpoch}
	for _, m := range want.ISR {
		ch.ISR = append(ch.ISR, controller.ISRMember{ID: metadata.BrokerID(m.ID), Epoch: m.BrokerEpoch})
	}
	n.asking = true
	life, epoch, answered := n.life, n.r.brokerEpoch(), false
	s.deliver(n, nil, func() {
		results, records, err := s.decide.AlterPartitions(s.im, n.id, epoch, []controller.ISRChange{ch})
		if len(records) > 0 {
			s.commit(records...)
		}
		s.deliver(nil, n, func() {
			if answered || err != nil {
				return
			}
			answered, n.asking = true, false
			n.r.answered(p, &ch, results[0])
		})
	})
	s.after(700*time.Millisecond, func() {
		if !answered && n.up && n.life == life {
			answered, n.asking = true, false
		}
	})
}

func (s *sim) produce() {
	defer s.after(time.Duration(5+s.rng.IntN(30))*time.Millisecond, s.produce)
	n := s.nodes[metadata.BrokerID(1+s.rng.IntN(3))]
	if s.calm || !n.up || n.p().Following() {
		return
	}
	s.produced++
	value := fmt.Sprint("v", s.produced)
	var w batch.Builder
	w.Reset(batch.NoProducer())
	w.Add(s.now.UnixMilli(), nil, []byte(value))
	_, b, err := w.Build(nil)
	if err != nil {
		s.fail("build: %v", err)
	}
	life := n.life
	p := n.p()
	res, err := p.Append(-1, b, partition.AppendOptions{AllAcks: true})
	if err != nil {
		return
	}
	p.WhenAcked(res.LastOffset, 2*time.Second, func(err error) {
		if err == nil && n.up && n.life == life {
			s.acked[res.BaseOffset] = value
			s.ackedIn[res.BaseOffset] = fmt.Sprintf("by node %d in epoch %d at %.3f", n.id, p.LeaderEpoch(), s.now.Sub(simStart).Seconds())
		}
	})
}

// chaos crashes, cuts off and moves.
func (s *sim) chaos() {
	if s.calm {
		return
	}
	defer s.after(time.Duration(100+s.rng.IntN(4000))*time.Millisecond, s.chaos)
	n := s.nodes[metadata.BrokerID(1+s.rng.IntN(3))]
	switch s.rng.IntN(4) {
	case 0, 1:
		if n.up {
			n.crash()
		}
	case 2:
		if n.up && !n.cut {
			s.logf("node %d is cut off", n.id)
			n.cut = true
			life := n.life
			if s.rng.IntN(2) == 0 {
				s.after(time.Duration(s.rng.IntN(2000))*time.Millisecond, func() {
					if n.life == life && n.cut {
						s.fence(n)
					}
				})
			}
			s.after(time.Duration(s.rng.IntN(8000))*time.Millisecond, func() { n.heal(life) })
		}
	case 3:
		if _, records := s.decide.ElectLeaders(s.im, nil, false); len(records) > 0 {
			s.commit(records...)
		}
	}
}

func (n *simNode) heal(life int) {
	if !n.up || n.life != life || !n.cut {
		return
	}
	n.s.logf("node %d is reached again", n.id)
	n.cut = false
	n.s.unfence(n)
}

func (n *simNode) crash() {
	s := n.s
	s.logf("node %d crashes: log end %d, durable %d, high watermark %d", n.id, n.p().LogEndOffset(), n.p().DurableOffset(), n.p().HighWatermark())
	n.up, n.cut = false, false
	n.disk = n.disk.Crash(vfs.Survival(s.rng.IntN(3)), s.rng.Uint64())
	if s.rng.IntN(4) > 0 {
		s.after(time.Duration(s.rng.IntN(1000))*time.Millisecond, func() {
			if !n.up {
				s.fence(n)
			}
		})
	}
	s.after(time.Duration(s.rng.IntN(6000))*time.Millisecond, n.restart)
}

func (n *simNode) restart() {
	s := n.s
	if n.up {
		return
	}
	s.logf("node %d starts", n.id)
	records := []metadata.Record{&metadata.BrokerRecord{ID: n.id, Fenced: true}}
	s.commit(append(records, s.decide.BrokerChanged(s.im, controller.BrokerEvent{ID: n.id, Restarted: true})...)...)
	n.start()
	s.unfence(n)
}

func (s *sim) fence(n *simNode) {
	if b := s.im.Broker(n.id); !b.Fenced {
		s.logf("node %d is fenced", n.id)
		s.commit(append([]metadata.Record{&metadata.BrokerRecord{ID: n.id, Epoch: b.Epoch, Fenced: true}},
			s.decide.BrokerChanged(s.im, controller.BrokerEvent{ID: n.id})...)...)
	}
}

// unfence waits until the node has the metadata.
func (s *sim) unfence(n *simNode) {
	life := n.life
	s.after(s.delay(), func() {
		b := s.im.Broker(n.id)
		switch {
		case !n.up || n.life != life || n.cut || !b.Fenced:
		case n.im.Index() < uint64(b.Epoch) || n.im.Index() < s.im.Index():
			s.unfence(n)
		default:
			s.logf("node %d is live", n.id)
			s.commit(append([]metadata.Record{&metadata.BrokerRecord{ID: n.id, Epoch: b.Epoch}},
				s.decide.BrokerChanged(s.im, controller.BrokerEvent{ID: n.id, Live: true})...)...)
		}
	})
}

func (s *sim) runUntil(end time.Time) {
	for len(s.queue) > 0 && !s.queue[0].at.After(end) {
		e := heap.Pop(&s.queue).(simEvent)
		s.now = e.at
		e.do()
	}
	s.now = end
}

// check wants all replicas equal and everything acknowledged there.
func (s *sim) check() {
	lead := s.nodes[s.im.Partition(simTopic, 0).Leader]
	if lead == nil || len(s.im.Partition(simTopic, 0).ISR) != 3 {
		s.fail("not healed: %+v", *s.im.Partition(simTopic, 0))
	}
	end := lead.p().LogEndOffset()
	for _, n := range s.nodes {
		p := n.p()
		if p.LogEndOffset() != end || p.HighWatermark() != end {
			s.fail("node %d: log end %d and high watermark %d, the leader's end is %d", n.id, p.LogEndOffset(), p.HighWatermark(), end)
		}
		for o, v := range s.acked {
			if got := n.read(p, o); got != v {
				s.fail("node %d: offset %d is %q, acknowledged was %q (%s)", n.id, o, got, v, s.ackedIn[o])
			}
		}
		a, errA := p.Read(0, 1<<23, true, partition.ReadReplica)
		b, errB := lead.p().Read(0, 1<<23, true, partition.ReadReplica)
		if errA != nil || errB != nil || string(a.Records) != string(b.Records) {
			s.fail("node %d: other bytes than the leader's (%v, %v)", n.id, errA, errB)
		}
		a.Release()
		b.Release()
	}
}

func TestSimulation(t *testing.T) {
	seeds, first := uint64(40), uint64(0)
	if v, err := strconv.ParseUint(os.Getenv("SEEDS"), 10, 64); err == nil {
		seeds = v
	}
	if v, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		first, seeds = v, 1
	}
	acked := 0
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			s := newSim(t, seed)
			s.produce()
			s.chaos()
			s.runUntil(simStart.Add(40 * time.Second))
			s.calm = true
			for _, n := range s.nodes {
				n.heal(n.life)
				s.after(0, n.restart)
			}
			s.runUntil(simStart.Add(80 * time.Second))
			s.check()
			acked += len(s.acked)
		})
	}
	t.Logf("%d records acknowledged in %d runs", acked, seeds)
}
