#!/usr/bin/env python3
"""A plugin program in Python: example.CounterSource counts, example.PrintSink appends the values it gets to a file.

It speaks the protocol of plugins/external/proto/plugin.proto with code that grpcio-tools generates from it; README.md says how.
"""

import json
import os
import queue
import sys
import threading
import time
from concurrent import futures

import grpc

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import plugin_pb2 as pb  # noqa: E402
import plugin_pb2_grpc as rpc  # noqa: E402

VERSION = "1.0.0"


def log(message, **members):
    """Writes a line that the worker enters into its log with its members."""
    print(json.dumps({"level": "INFO", "msg": message, **members}), file=sys.stderr, flush=True)


def key(name, type_, doc, default=None):
    k = pb.ConfigKey(name=name, type=type_, importance="HIGH", doc=doc, required=default is None)
    if default is not None:
        k.default = default
    return k


CLASSES = [
    pb.Class(kind="source", **{"class": "example.CounterSource"}, version=VERSION, task_class="example.CounterTask", config=[
        key("topic", "STRING", "The topic to write to."),
        key("count", "LONG", "The number to stop at.", "9223372036854775807"),
        key("batch", "INT", "How many numbers come at once.", "100"),
    ]),
    pb.Class(kind="sink", **{"class": "example.PrintSink"}, version=VERSION, task_class="example.PrintTask", config=[
        key("file", "STRING", "The file to append values to."),
    ]),
]


def missing(start):
    """Returns an error if a required key is missing, None if not."""
    for c in CLASSES:
        if getattr(c, "class") == getattr(start, "class"):
            for k in c.config:
                if k.required and not start.config.get(k.name):
                    return pb.Error(kind=pb.Error.CONFIG, message=f'Missing required configuration "{k.name}" which has no default value.')
    return None


class Plugin(rpc.PluginServicer):
    def Describe(self, request, context):
        return pb.DescribeReply(classes=CLASSES)

    def Validate(self, request, context):
        return pb.ValidateReply()  # the types and required keys of Describe say it all

    def AlterOffsets(self, request, context):
        return pb.AlterOffsetsReply()

    def ExactlyOnce(self, request, context):
        return pb.ExactlyOnceReply()

    def Connector(self, requests, context):
        start = None
        for request in requests:
            done = pb.ConnectorReply.Done()
            kind = request.WhichOneof("request")
            if kind == "start":
                start = request.start
                error = missing(start)
                if error:
                    done.error.CopyFrom(error)
            elif kind == "task_configs":  # one task is all that is needed
                done.task_configs.add().config.update(start.config)
            yield pb.ConnectorReply(done=done)
            if kind == "stop":
                return

    def SourceTask(self, requests, context):
        """The requests are read by another thread; this one yields the replies."""
        inbox = queue.Queue()

        def read():
            try:
                for request in requests:
                    inbox.put(request)
            except grpc.RpcError:
                pass  # the worker is gone
            inbox.put(None)

        threading.Thread(target=read, daemon=True).start()
        start = inbox.get().start
        error = missing(start)
        if error:
            yield pb.SourceReply(started=pb.SourceReply.Started(error=error))
            yield pb.SourceReply(stopped=pb.SourceReply.Done())
            return
        # A map with one entry: {"counter": "python"}.
        partition = pb.Value(object=pb.Map(keys=[pb.Value(string="counter")], values=[pb.Value(string="python")]))
        yield pb.SourceReply(offsets=pb.OffsetsQuestion(id=1, partitions=[partition]))
        number = 0
        answer = inbox.get()
        if answer is None:
            return
        for value in answer.offsets.offsets:
            for k, v in zip(value.object.keys, value.object.values):
                if k.string == "next":
                    number = v.int64
        log("counting", connector=start.connector, task=start.task, next=number)
        yield pb.SourceReply(started=pb.SourceReply.Started())

        count, batch = int(start.config.get("count", 2**63 - 1)), int(start.config.get("batch", 100))
        topic, credits, first = start.config["topic"], 0, True
        while True:
            try:
                request = inbox.get(block=credits == 0)
            except queue.Empty:
                request = pb.SourceRequest()  # nothing new, but there is a credit to use
            if request is None:
                return
            kind = request.WhichOneof("request")
            if kind == "stop":
                yield pb.SourceReply(stopped=pb.SourceReply.Done())
                return
            if kind == "credits":
                credits += request.credits
            elif kind in ("committed", "commit"):
                yield pb.SourceReply(done=pb.SourceReply.Done())
            if credits == 0:
                continue
            credits -= 1
            records = pb.Records()
            if first:  # what the later batches name by number
                records.schemas.add(type=pb.Schema.INT64)
                records.topics.append(topic)
                records.partitions.append(partition)
                first = False
            for number in range(number, min(number + batch, count)):
                records.records.add(
                    value_schema=1, value=pb.Value(int64=number), source_partition=1,
                    source_offset=pb.Value(object=pb.Map(keys=[pb.Value(string="next")], values=[pb.Value(int64=number + 1)])))
            if records.records:
                number += 1
            else:
                time.sleep(0.1)
            yield pb.SourceReply(batch=pb.SourceReply.Batch(records=records.SerializeToString()))

    def SinkTask(self, requests, context):
        file, topics, schemas = None, [], []
        for request in requests:
            kind = request.WhichOneof("request")
            done = pb.SinkReply.Done()
            if kind == "start":
                error = missing(request.start)
                if error:
                    done.error.CopyFrom(error)
                else:
                    file = open(request.start.config["file"], "a", encoding="utf-8")
            elif kind == "put":
                records = pb.Records.FromString(request.put.records)
                if records.reset:
                    topics, schemas = [], []
                topics.extend(records.topics)
                schemas.extend(records.schemas)
                for record in records.records:
                    value = record.value
                    name = value.WhichOneof("kind")
                    file.write(f"{getattr(value, name) if name else None}\n")
                if request.put.more:
                    continue
            elif kind == "pre_commit":
                file.flush()
                os.fsync(file.fileno())
                done.offsets.extend(request.pre_commit.partitions)
            elif kind == "cancel":
                continue  # nothing here takes long
            elif kind == "stop" and file:
                file.close()
            yield pb.SinkReply(done=done)
            if kind == "stop":
                return


def main():
    if os.environ.get("MILLRACE_PLUGIN") != "bd2a4d1e-5f1c-4dd3-8a8e-6c1f0a8f6f5b":
        sys.exit("This is a plugin program of Millrace: name it in a manifest on plugin.path.")
    # A task holds a thread for as long as it lives.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=[
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)])
    rpc.add_PluginServicer_to_server(Plugin(), server)

    ending = threading.Event()

    def shutdown(request, context):
        ending.set()
        return b""

    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plugin.GRPCController", {
        "Shutdown": grpc.unary_unary_rpc_method_handler(shutdown),
    }),))
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "python.sock")
    server.add_insecure_port("unix:" + path)
    server.start()
    print(f"1|1|unix|{path}|grpc", flush=True)
    parent = os.getppid()
    while not ending.wait(1) and os.getppid() == parent:
        pass
    server.stop(0.2).wait()


if __name__ == "__main__":
    main()
