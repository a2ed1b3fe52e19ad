package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs, versions 1 to 5 (KIP-113; v2 flexible, v3 top-level error, v4 volume sizes, KIP-827, v5 cordoned). There is
// one data directory. Null topics are all; topics and partitions that are not here are left out.
func (a *API) describeLogDirs(_ context.Context, _ *Call, req *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir, dir.TotalBytes, dir.UsableBytes = a.cfg.LogDir, a.cfg.Logs.TotalBytes(), a.cfg.Logs.UsableBytes()
	add := func(topic string, partitions []int32) {
		out := kmsg.NewDescribeLogDirsResponseDirTopic()
		out.Topic = topic
		for _, n := range partitions {
			if p := a.cfg.Logs.Get(topic, n); p != nil {
				op := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
				op.Partition, op.Size = n, p.Size()
				out.Partitions = append(out.Partitions, op)
			}
		}
		if len(out.Partitions) > 0 {
			dir.Topics = append(dir.Topics, out)
		}
	}
	if req.Topics == nil {
		for _, t := range a.image().TopicsByName() {
			all := make([]int32, len(t.Partitions))
			for n := range all {
				all[n] = int32(n)
			}
			add(t.Name, all)
		}
	}
	for i := range req.Topics {
		add(req.Topics[i].Topic, req.Topics[i].Partitions)
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp
}
