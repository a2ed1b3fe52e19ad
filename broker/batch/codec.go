package batch

// Codec is a batch's compression, as in bits 0 to 2 of its attributes.
type Codec int8

// The codecs of the format, and CodecProducer for "whatever the producer chose" in topic settings.
const (
	CodecProducer Codec = -1
	CodecNone     Codec = 0
	CodecGzip     Codec = 1
	CodecSnappy   Codec = 2
	CodecLZ4      Codec = 3
	CodecZstd     Codec = 4
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

func (c Codec) String() string {
	switch {
	case c == CodecProducer:
		return "producer"
	case c.known():
		return codecNames[c]
	}
	return "unknown"
}

func (c Codec) known() bool { return c >= CodecNone && c <= CodecZstd }
