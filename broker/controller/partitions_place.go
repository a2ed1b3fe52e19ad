package controller

import (
	"cmp"
	"slices"

	"millrace/broker/metadata"
)

// place assigns count partitions, numbered from first, to live brokers: round robin, with the replicas of a partition spread
// over racks first. seed moves the start, so that the first partitions of many topics do not all land on one broker.
func place(live []*metadata.Broker, first, count int32, replication int16, seed int) [][]metadata.BrokerID {
	ring := byRack(live)
	out := make([][]metadata.BrokerID, count)
	for i := range out {
		out[i] = pick(ring, (seed+int(first)+i)%len(ring), int(replication))
	}
	return out
}

// byRack orders brokers so that neighbours are in different racks: one of each rack in turn.
func byRack(live []*metadata.Broker) []*metadata.Broker {
	racks := make(map[string][]*metadata.Broker)
	var names []string
	for _, b := range live {
		if racks[b.Rack] == nil {
			names = append(names, b.Rack)
		}
		racks[b.Rack] = append(racks[b.Rack], b)
	}
	slices.Sort(names)
	ring := make([]*metadata.Broker, 0, len(live))
	for i := 0; len(ring) < len(live); i++ {
		for _, name := range names {
			if i < len(racks[name]) {
				ring = append(ring, racks[name][i])
			}
		}
	}
	return ring
}

// pick takes n brokers from the ring, from start on: first those in racks that the ones before are not in.
func pick(ring []*metadata.Broker, start, n int) []metadata.BrokerID {
	chosen := make([]metadata.BrokerID, 0, n)
	used := make(map[string]bool)
	for _, anyRack := range []bool{false, true} {
		for i := 0; i < len(ring) && len(chosen) < n; i++ {
			b := ring[(start+i)%len(ring)]
			if slices.Contains(chosen, b.ID) || !anyRack && used[b.Rack] && b.Rack != "" {
				continue
			}
			chosen = append(chosen, b.ID)
			used[b.Rack] = true
		}
	}
	return chosen
}

// internalReplicas is how many replicas internal topics get as soon as there are brokers for them.
const internalReplicas = 3

// growInternal adds replicas to the partitions of internal topics that were made when there were fewer brokers: the broker with
// the fewest of the topic's replicas first, and one in another rack before one in the same.
func (d *decider) growInternal(im *metadata.Image, live func(metadata.BrokerID) bool) []metadata.Record {
	brokers := slices.DeleteFunc(im.Brokers(), func(b *metadata.Broker) bool { return !live(b.ID) })
	want := min(internalReplicas, len(brokers))
	var records []metadata.Record
	for _, t := range im.TopicsByName() {
		if !metadata.IsInternal(t.Name) {
			continue
		}
		load := make(map[metadata.BrokerID]int)
		for n := range t.Partitions {
			for _, id := range t.Partitions[n].Replicas {
				load[id]++
			}
		}
		for n := range t.Partitions {
			p := &t.Partitions[n]
			if len(p.Replicas) >= want || len(p.Adding)+len(p.Removing) > 0 {
				continue
			}
			target := slices.Clone(p.Replicas)
			for len(target) < want {
				id := nextReplica(brokers, target, load)
				target = append(target, id)
				load[id]++
			}
			e := edit(t, n, d.rules(im, t), live)
			e.reassignTo(target)
			if r := e.settle(); r != nil {
				records = append(records, r)
			}
		}
	}
	return records
}

// nextReplica chooses one more broker for a partition; there is one.
func nextReplica(brokers []*metadata.Broker, has []metadata.BrokerID, load map[metadata.BrokerID]int) metadata.BrokerID {
	racks := make(map[string]bool)
	for _, b := range brokers {
		if slices.Contains(has, b.ID) {
			racks[b.Rack] = true
		}
	}
	rest := slices.DeleteFunc(slices.Clone(brokers), func(b *metadata.Broker) bool { return slices.Contains(has, b.ID) })
	same := func(b *metadata.Broker) int {
		if racks[b.Rack] && b.Rack != "" {
			return 1
		}
		return 0
	}
	return slices.MinFunc(rest, func(a, b *metadata.Broker) int {
		return cmp.Or(cmp.Compare(same(a), same(b)), cmp.Compare(load[a.ID], load[b.ID]), cmp.Compare(a.ID, b.ID))
	}).ID
}
