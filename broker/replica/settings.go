package replica

import (
	"millrace/broker/batch"
	"millrace/broker/metadata"
	"millrace/broker/partition"
)

// Settings converts a topic's configs.
func Settings(c metadata.TopicConfig) partition.Settings {
	s := partition.DefaultSettings()
	s.SegmentBytes = int64(c.SegmentBytes)
	s.SegmentAge = c.SegmentAge
	s.SegmentJitter = c.SegmentJitter
	s.SegmentIndexBytes = int64(c.SegmentIndexBytes)
	s.IndexIntervalBytes = int64(c.IndexIntervalBytes)
	s.RetentionBytes = c.RetentionBytes
	s.RetentionAge = c.RetentionTime
	s.Delete, s.Compact = c.Delete, c.Compact
	s.MinCleanableDirtyRatio = c.MinCleanableDirtyRatio
	s.MinCompactionLag = c.MinCompactionLag
	s.MaxCompactionLag = c.MaxCompactionLag
	s.DeleteRetention = c.DeleteRetention
	s.MaxMessageBytes = c.MaxMessageBytes
	s.LogAppendTime = c.LogAppendTime
	s.TimestampBefore, s.TimestampAfter = c.TimestampBeforeMax, c.TimestampAfterMax
	s.MinInSyncReplicas = c.MinInSyncReplicas
	s.Compression = codec(c.CompressionType)
	s.FileDeleteDelay = c.FileDeleteDelay
	if c.FlushSet {
		s.FlushMessages, s.FlushInterval = c.FlushMessages, c.FlushInterval
	}
	return s
}

func codec(compressionType string) batch.Codec {
	switch compressionType {
	case "uncompressed":
		return batch.CodecNone
	case "gzip":
		return batch.CodecGzip
	case "snappy":
		return batch.CodecSnappy
	case "lz4":
		return batch.CodecLZ4
	case "zstd":
		return batch.CodecZstd
	}
	return batch.CodecProducer
}
