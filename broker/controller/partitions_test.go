package controller

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/broker/metadata"
)

// world is an image with the means to change it.
type world struct {
	t  *testing.T
	d  *decider
	im *metadata.Image
	id metadata.TopicID
}

// newWorld has brokers 1 to n and a topic "t" with one partition on replicas.
func newWorld(t *testing.T, n int, replicas []metadata.BrokerID, configs ...string) *world {
	w := &world{t: t, d: &decider{}, im: metadata.NewImage(), id: metadata.TopicID{1}}
	for i := range n {
		w.apply([]metadata.Record{&metadata.BrokerRecord{ID: metadata.BrokerID(i + 1)}})
	}
	records := []metadata.Record{&metadata.TopicRecord{Name: "t", ID: w.id}}
	for i := 0; i < len(configs); i += 2 {
		records = append(records, &metadata.ConfigRecord{Resource: metadata.TopicResource("t"), Name: configs[i], Value: configs[i+1]})
	}
	w.apply(append(records, newPartition(w.im, w.id, 0, replicas)))
	return w
}

func (w *world) apply(records []metadata.Record) {
	w.t.Helper()
	if len(records) == 0 {
		return
	}
	next, err := w.im.Apply(w.im.Index()+1, records)
	if err != nil {
		w.t.Fatal(err)
	}
	w.im = next
}

func (w *world) p() *metadata.Partition { return w.im.Partition("t", 0) }

// String is the partition as the tables below have it.
func (w *world) String() string {
	p := w.p()
	s := fmt.Sprintf("leader %d/%d of %v isr %v", p.Leader, p.LeaderEpoch, p.Replicas, p.ISR)
	if len(p.ELR) > 0 {
		s += fmt.Sprintf(" elr %v", p.ELR)
	}
	if len(p.Adding)+len(p.Removing) > 0 {
		s += fmt.Sprintf(" adding %v removing %v", p.Adding, p.Removing)
	}
	return s
}

// do carries out one command: "fence 1", "unfence 1", "crash 1" and "wipe 1" (a new process after an unclean stop), "isr 1,2" (the leader
// asks for it), "move 3,4", "cancel", "prefer", "unclean".
func (w *world) do(cmd string) error {
	verb, rest, _ := strings.Cut(cmd, " ")
	var ids []metadata.BrokerID
	for f := range strings.SplitSeq(rest, ",") {
		var id metadata.BrokerID
		if _, err := fmt.Sscan(f, &id); err == nil {
			ids = append(ids, id)
		}
	}
	change := func(c brokerChange) {
		records := w.d.brokerChanged(w.im, c)
		b := *w.im.Broker(c.id)
		b.Fenced = !c.live
		if c.restarted {
			b.Epoch = int64(w.im.Index()) + 1
		}
		w.apply(append([]metadata.Record{&metadata.BrokerRecord{ID: b.ID, Epoch: b.Epoch, Rack: b.Rack, Fenced: b.Fenced}}, records...))
	}
	switch verb {
	case "fence":
		change(brokerChange{id: ids[0]})
	case "unfence":
		change(brokerChange{id: ids[0], live: true})
	case "crash":
		change(brokerChange{id: ids[0], restarted: true})
	case "wipe":
		change(brokerChange{id: ids[0], restarted: true, wiped: true})
	case "isr":
		p := w.p()
		ch := ISRChange{Topic: w.id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
		for _, id := range ids {
			ch.ISR = append(ch.ISR, ISRMember{id, w.im.Broker(id).Epoch})
		}
		results, records, err := w.d.alterPartitions(w.im, p.Leader, w.im.Broker(p.Leader).Epoch, []ISRChange{ch})
		if err != nil {
			return err
		}
		w.apply(records)
		return results[0].Err
	case "move", "cancel":
		results, records := w.d.reassign(w.im, []Reassignment{{Topic: "t", Replicas: ids}}, false)
		w.apply(records)
		return results[0].Err
	case "prefer", "unclean":
		results, records := w.d.electLeaders(w.im, []PartitionRef{{Topic: "t"}}, verb == "unclean")
		w.apply(records)
		return results[0].Err
	default:
		w.t.Fatalf("no command %q", cmd)
	}
	return nil
}

func TestPartitionDecisions(t *testing.T) {
	three := []metadata.BrokerID{1, 2, 3}
	for _, test := range []struct {
		name     string
		replicas []metadata.BrokerID
		configs  string
		script   string // command -> the partition after it, or an error
	}{
		{"leadership follows the assignment", three, "", `
			fence 1 -> leader 2/1 of [1 2 3] isr [2 3]
			fence 2 -> leader 3/2 of [1 2 3] isr [3]
			unfence 1 -> leader 3/2 of [1 2 3] isr [3]
			isr 3,1 -> leader 3/2 of [1 2 3] isr [3 1]
			prefer -> leader 1/3 of [1 2 3] isr [3 1]
			prefer -> election not needed`},
		{"the last in sync is remembered", three, "", `
			fence 1 -> leader 2/1 of [1 2 3] isr [2 3]
			fence 2 -> leader 3/2 of [1 2 3] isr [3]
			fence 3 -> leader -1/3 of [1 2 3] isr [] elr [3]
			unfence 1 -> leader -1/3 of [1 2 3] isr [] elr [3]
			unclean -> leader 1/4 of [1 2 3] isr [1] elr []`},
		{"below min.insync.replicas those who leave stay eligible", three, "min.insync.replicas=2", `
			fence 1 -> leader 2/1 of [1 2 3] isr [2 3]
			fence 2 -> leader 3/2 of [1 2 3] isr [3] elr [2]
			fence 3 -> leader -1/3 of [1 2 3] isr [] elr [3 2]
			unfence 1 -> leader -1/3 of [1 2 3] isr [] elr [3 2]
			unfence 2 -> leader 2/4 of [1 2 3] isr [2] elr [3]
			isr 2,1 -> leader 2/4 of [1 2 3] isr [2 1]`},
		{"an ISR that its leader shrinks", three, "min.insync.replicas=2", `
			isr 1 -> leader 1/0 of [1 2 3] isr [1] elr [2 3]
			fence 1 -> leader 2/1 of [1 2 3] isr [2] elr [1 3]`},
		{"unclean elections where the topic allows them", three, "unclean.leader.election.enable=true", `
			isr 1 -> leader 1/0 of [1 2 3] isr [1]
			fence 1 -> leader 2/1 of [1 2 3] isr [2]`},
		{"none where it does not", three, "", `
			isr 1 -> leader 1/0 of [1 2 3] isr [1]
			fence 1 -> leader -1/1 of [1 2 3] isr [] elr [1]
			prefer -> preferred leader not available`},
		{"a crash loses nothing that was synced", three, "", `
			crash 2 -> leader 1/0 of [1 2 3] isr [1 3]
			crash 1 -> leader 3/1 of [1 2 3] isr [3]`},
		{"an unclean stop with records in the page cache", three, "flush.messages=9223372036854775807,min.insync.replicas=2", `
			fence 3 -> leader 1/0 of [1 2 3] isr [1 2]
			fence 2 -> leader 1/0 of [1 2 3] isr [1] elr [2]
			crash 2 -> leader 1/0 of [1 2 3] isr [1]
			fence 1 -> leader -1/1 of [1 2 3] isr [] elr [1]
			crash 1 -> leader -1/1 of [1 2 3] isr [] elr [1]
			unfence 2 -> leader -1/1 of [1 2 3] isr [] elr [1]
			unfence 1 -> leader 1/2 of [1 2 3] isr [1]`},
		{"an empty disk never leads", three, "", `
			fence 2 -> leader 1/0 of [1 2 3] isr [1 3]
			fence 3 -> leader 1/0 of [1 2 3] isr [1]
			fence 1 -> leader -1/1 of [1 2 3] isr [] elr [1]
			wipe 1 -> leader -1/1 of [1 2 3] isr []
			unfence 1 -> leader -1/1 of [1 2 3] isr []
			unfence 2 -> leader -1/1 of [1 2 3] isr []`},
		{"unless it is the only one", []metadata.BrokerID{1}, "", `
			fence 1 -> leader -1/1 of [1] isr [] elr [1]
			wipe 1 -> leader -1/1 of [1] isr [] elr [1]
			unfence 1 -> leader 1/2 of [1] isr [1]`},
		{"reassignment", three, "", `
			move 4,2,5 -> leader 1/0 of [4 2 5 1 3] isr [1 2 3] adding [4 5] removing [1 3]
			isr 1,2,3,4 -> leader 1/0 of [4 2 5 1 3] isr [1 2 3 4] adding [4 5] removing [1 3]
			isr 1,2,3,4,5 -> leader 4/1 of [4 2 5] isr [2 4 5]`},
		{"reassignment changed on the way", three, "", `
			move 4,2,3 -> leader 1/0 of [4 2 3 1] isr [1 2 3] adding [4] removing [1]
			move 5,2,3 -> leader 1/0 of [5 2 3 4 1] isr [1 2 3] adding [5] removing [4 1]
			cancel -> leader 1/0 of [2 3 4 1] isr [1 2 3]`},
		{"reassignment cancelled", three, "", `
			cancel -> no reassignment in progress
			move 4,5 -> leader 1/0 of [4 5 1 2 3] isr [1 2 3] adding [4 5] removing [1 2 3]
			isr 1,4 -> leader 1/0 of [4 5 1 2 3] isr [1 4] adding [4 5] removing [1 2 3]
			fence 1 -> leader 4/1 of [4 5 1 2 3] isr [4] adding [4 5] removing [1 2 3]
			cancel -> The move cannot be cancelled: none of the replicas before it, [1 2 3], has all records.`},
		{"fewer replicas", three, "", `
			move 2,3 -> leader 2/1 of [2 3] isr [2 3]
			move 9 -> The manual partition assignment includes broker 9, but no such broker is registered.`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var configs []string
			for kv := range strings.SplitSeq(test.configs, ",") {
				if k, v, ok := strings.Cut(kv, "="); ok {
					configs = append(configs, k, v)
				}
			}
			w := newWorld(t, 5, test.replicas, configs...)
			for line := range strings.SplitSeq(strings.TrimSpace(test.script), "\n") {
				cmd, want, _ := strings.Cut(strings.TrimSpace(line), " -> ")
				got := ""
				if err := w.do(cmd); err != nil {
					got = err.Error()
				} else {
					got = w.String()
				}
				if strings.TrimSuffix(want, " elr []") != got {
					t.Errorf("%s:\n got %s\nwant %s", cmd, got, want)
				}
			}
		})
	}
}

func TestAlterPartitionRefusals(t *testing.T) {
	w := newWorld(t, 3, []metadata.BrokerID{1, 2, 3})
	if err := w.do("fence 3"); err != nil {
		t.Fatal(err)
	}
	p := w.p()
	member := func(id metadata.BrokerID) ISRMember { return ISRMember{id, w.im.Broker(id).Epoch} }
	good := ISRChange{Topic: w.id, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: []ISRMember{member(1)}}
	for _, test := range []struct {
		name   string
		from   metadata.BrokerID
		change func(*ISRChange)
		want   error
	}{
		{"no such topic", 1, func(c *ISRChange) { c.Topic[0]++ }, metadata.ErrUnknownTopicID},
		{"no such partition", 1, func(c *ISRChange) { c.Partition = 7 }, metadata.ErrUnknownTopic},
		{"older leader epoch", 1, func(c *ISRChange) { c.LeaderEpoch-- }, ErrFencedLeaderEpoch},
		{"newer leader epoch", 1, func(c *ISRChange) { c.LeaderEpoch++ }, ErrNotController},
		{"older partition epoch", 1, func(c *ISRChange) { c.PartitionEpoch-- }, ErrInvalidUpdateVersion},
		{"newer partition epoch", 1, func(c *ISRChange) { c.PartitionEpoch++ }, ErrNotController},
		{"not the leader", 2, func(*ISRChange) {}, metadata.ErrInvalidRequest},
		{"without the leader", 1, func(c *ISRChange) { c.ISR = []ISRMember{member(2)} }, metadata.ErrInvalidRequest},
		{"empty", 1, func(c *ISRChange) { c.ISR = nil }, metadata.ErrInvalidRequest},
		{"no replica", 1, func(c *ISRChange) { c.ISR = append(c.ISR, ISRMember{9, -1}) }, metadata.ErrInvalidRequest},
		{"twice", 1, func(c *ISRChange) { c.ISR = append(c.ISR, member(1)) }, metadata.ErrInvalidRequest},
		{"fenced", 1, func(c *ISRChange) { c.ISR = append(c.ISR, member(3)) }, ErrIneligibleReplica},
		{"another process", 1, func(c *ISRChange) { c.ISR = append(c.ISR, ISRMember{2, member(2).Epoch + 9}) }, ErrIneligibleReplica},
		{"good", 1, func(*ISRChange) {}, nil},
	} {
		c := good
		c.ISR = slices.Clone(good.ISR)
		test.change(&c)
		results, _, err := w.d.alterPartitions(w.im, test.from, w.im.Broker(test.from).Epoch, []ISRChange{c})
		if err != nil || !errors.Is(results[0].Err, test.want) {
			t.Errorf("%s: got %v, %v, want %v", test.name, results, err, test.want)
		}
	}
	if _, _, err := w.d.alterPartitions(w.im, 1, 99, []ISRChange{good}); !errors.Is(err, ErrStaleBrokerEpoch) {
		t.Errorf("a process that is gone: %v", err)
	}
}

// TestPartitionDecisionsKeepTheirInvariants runs random commands and looks at each state.
func TestPartitionDecisionsKeepTheirInvariants(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		configs := []string{"min.insync.replicas", fmt.Sprint(1 + rng.IntN(3))}
		if rng.IntN(2) == 0 {
			configs = append(configs, "flush.messages", "100")
		}
		w := newWorld(t, 5, []metadata.BrokerID{1, 2, 3}, configs...)
		var history []string
		for range 60 {
			was := *w.p()
			id := 1 + rng.IntN(5)
			cmd := fmt.Sprintf("%s %d", []string{"fence", "unfence", "crash", "wipe"}[rng.IntN(4)], id)
			switch rng.IntN(4) {
			case 0:
				cmd = []string{"prefer x", "cancel x", fmt.Sprintf("move %d,%d", id, id%5+1)}[rng.IntN(3)]
			case 1:
				if was.Leader != metadata.NoBroker {
					cmd = "isr " + fmt.Sprint(was.Leader)
					for _, r := range was.Replicas {
						if r != was.Leader && rng.IntN(2) == 0 {
							cmd += fmt.Sprintf(",%d", r)
						}
					}
				}
			}
			history = append(history, cmd)
			_ = w.do(cmd) // a refusal is one outcome
			history = append(history, w.String())
			if fault := faultOf(w, &was); fault != "" {
				t.Fatalf("seed %d: %s:\n%s", seed, fault, strings.Join(history, "\n"))
			}
		}
	}
}

func faultOf(w *world, was *metadata.Partition) string {
	p := w.p()
	subset := func(a, b []metadata.BrokerID) bool {
		return !slices.ContainsFunc(a, func(id metadata.BrokerID) bool { return !slices.Contains(b, id) })
	}
	switch {
	case p.Leader == metadata.NoBroker && len(p.ISR) > 0:
		return "an ISR without a leader"
	case p.Leader != metadata.NoBroker && !slices.Contains(p.ISR, p.Leader):
		return "a leader outside the ISR"
	case !subset(p.ISR, p.Replicas), !subset(p.ELR, p.Replicas), !subset(p.Adding, p.Replicas), !subset(p.Removing, p.Replicas):
		return "members that are no replicas"
	case len(liveOf(w.im, p.ISR)) != len(p.ISR):
		return "a member of the ISR that is not live"
	case len(without(p.ELR, p.ISR...)) != len(p.ELR):
		return "ISR and ELR overlap"
	case p.LeaderEpoch < was.LeaderEpoch, p.PartitionEpoch < was.PartitionEpoch:
		return "an epoch went back"
	case p.Leader != was.Leader && p.LeaderEpoch == was.LeaderEpoch:
		return "two leaders in one epoch"
	case was.Leader != metadata.NoBroker && p.Leader != was.Leader && p.Leader != metadata.NoBroker &&
		!slices.Contains(was.ISR, p.Leader) && !slices.Contains(was.ELR, p.Leader) && !subset(was.Adding, p.ISR):
		return "an unclean leader"
	}
	return ""
}
