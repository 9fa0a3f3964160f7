"""messages.py - the messages of the protocol as Python maps, and as bytes.

A message is a dict whose first key is `header`. Everything can be made wrong on purpose: Raw stands
for bytes that are taken as they are, Pairs for a map whose keys are in any order or twice.
"""

import copy
import datetime
import hashlib
import struct
import uuid

import msgpack

PROTOCOL_VERSION = "1.0.0"


class Raw:
    """Bytes that stand in a message as they are: one or more MessagePack objects, or nonsense."""

    def __init__(self, data):
        self.data = data


class Pairs:
    """A map given as a list of (key, value), so that a key can come twice or be no string."""

    def __init__(self, pairs):
        self.pairs = list(pairs)


def encode(value):
    """MessagePack of a value that may contain Raw and Pairs."""
    try:
        return msgpack.packb(value)
    except TypeError:
        return _encode_by_hand(value)


def _encode_by_hand(value):
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, dict):
        value = Pairs(value.items())
    if isinstance(value, Pairs):
        return map_head(len(value.pairs)) + b"".join(
            encode(key) + encode(item) for key, item in value.pairs)
    if isinstance(value, (list, tuple)):
        return msgpack.Packer().pack_array_header(len(value)) + b"".join(map(encode, value))
    return msgpack.packb(value)


def map_head(count):
    """The head of a map of so many pairs, in its shortest form."""
    return msgpack.Packer().pack_map_header(count)


def decode(body):
    """A message from its body; strings that are no UTF-8 survive as surrogates."""
    return msgpack.unpackb(body, unicode_errors="surrogateescape", strict_map_key=False)


def frame(body):
    return struct.pack(">I", len(body)) + body


def new_id():
    return str(uuid.uuid4())


def now():
    return datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def header(source, message_type, target="BROKER", **changes):
    fields = {
        "message_id": new_id(),
        "correlation_id": new_id(),
        "source_module": source,
        "target_module": target,
        "message_type": message_type,
        "timestamp": now(),
        "protocol_version": PROTOCOL_VERSION,
    }
    fields.update(changes)
    return fields


def hello(module, instance_id, max_in_flight=10, **more):
    return {
        "header": header(module, "HELLO"),
        "instance_id": instance_id,
        "max_in_flight": max_in_flight,
        **more,
    }


def goodbye(module, reason="DONE", **more):
    return {
        "header": header(module, "GOODBYE"),
        "reason": reason,
        "reconnect_delay_ms": 0,
        **more,
    }


SUMMARIES = {
    ("ALPHA", "BETA"): {
        "validation_summary": {
            "total_records_validated": 12,
            "records_passed": 10,
            "records_failed": 2,
            "average_quality_score": 0.75,
        },
    },
    ("BETA", "GAMMA"): {
        "transformation_summary": {
            "total_records_transformed": 10,
            "transformations_applied": 30,
            "enrichment_cache_hit_rate": 0.5,
        },
        "quality_summary": {
            "average_quality_score": 0.75,
            "min_quality_score": 0.5,
            "max_quality_score": 1.0,
            "records_below_threshold": 0,
        },
    },
}


def records(count=3, size=16, mark="r"):
    """A list of records with distinct ids, each with so many bytes of data."""
    return [{"record_id": "%s-%d" % (mark, i), "data": b"x" * size} for i in range(count)]


def checksum(content):
    return hashlib.sha256(content).hexdigest()


def batch(source="ALPHA", target="BETA", sequence_number=1, content=None, count=3, size=16,
          batch_id=None, correlation_id=None, changes=None, metadata=None, **more):
    """A right BATCH_TRANSFER. `content` are the bytes of `records`; `changes` go to the header."""
    batch_id = batch_id or new_id()
    if content is None:
        content = msgpack.packb(records(count, size, batch_id[:8]))
    fields = {
        "header": header(source, "BATCH_TRANSFER", target,
                         correlation_id=correlation_id or new_id(), **(changes or {})),
        "metadata": {
            "batch_id": batch_id,
            "sequence_number": sequence_number,
            "record_count": count,
            "checksum": checksum(content),
            "created_at": now(),
            **(metadata or {}),
        },
        "records": content,
    }
    fields.update(copy.deepcopy(SUMMARIES.get((source, target), {})))
    fields.update(more)
    return fields


def payload(batch_id, status, accepted=0, rejected=0):
    return {
        "batch_id": batch_id,
        "status": status,
        "records_accepted": accepted,
        "records_rejected": rejected,
        "processing_duration_ms": 5,
    }


def acknowledgment(module, batch_id, lease, status, accepted=0, rejected=0, errors=None,
                   correlation_id=None, **more):
    fields = {
        "header": header(module, "ACKNOWLEDGMENT", correlation_id=correlation_id or new_id()),
        "payload": payload(batch_id, status, accepted, rejected),
        "lease": lease,
    }
    if errors is not None:
        fields["errors"] = errors
    fields.update(more)
    return fields


def completion(delivery, **changes):
    """What `completes` says of one delivered batch (section 8)."""
    metadata = delivery["metadata"]
    fields = payload(metadata["batch_id"], "PROCESSED", metadata["record_count"])
    fields["lease"] = delivery["delivery"]["lease"]
    fields.update(changes)
    return fields


def error(module, recoverability="TRANSIENT", scope="BATCH", code="TEST_001", context=None,
          **changes):
    """An IntegrationError as a module writes it."""
    fields = {
        "error_id": new_id(),
        "correlation_id": new_id(),
        "timestamp": now(),
        "source_module": module,
        "severity": "ERROR",
        "recoverability": recoverability,
        "scope": scope,
        "error_code": code,
        "error_message": "a test says so",
        "context": context or {},
        "retry_eligible": recoverability != "PERMANENT",
    }
    fields.update(changes)
    return fields


def error_notification(module, errors, action_required="NONE", **more):
    """An ERROR_NOTIFICATION of a module's own errors."""
    return {
        "header": header(module, "ERROR_NOTIFICATION"),
        "errors": errors,
        "action_required": action_required,
        **more,
    }


def backpressure(module, signal_type, route=None, depth=0, delay_ms=0, **more):
    """A target's BACKPRESSURE; without a route it speaks of all."""
    fields = {
        "header": header(module, "BACKPRESSURE"),
        "signal_type": signal_type,
        "current_queue_depth": depth,
        "recommended_delay_ms": delay_ms,
    }
    if route is not None:
        fields["route"] = route
    fields.update(more)
    return fields


def health_request(module, check_type="DETAILED"):
    return {"header": header(module, "HEALTH_CHECK_REQUEST"), "check_type": check_type}


def component(name, status="HEALTHY", message=""):
    """ComponentHealth."""
    return {"component_name": name, "status": status, "message": message, "last_check": now()}


def health_response(module, status="HEALTHY", components=(), uptime_seconds=1, target="BROKER",
                    **more):
    return {
        "header": header(module, "HEALTH_CHECK_RESPONSE", target),
        "status": status,
        "checks": list(components),
        "uptime_seconds": uptime_seconds,
        **more,
    }


def delivery_result(record_id, status="DELIVERED", destination_id="a-destination", **changes):
    """What became of one record, as RecordDeliveryResult says it."""
    fields = {
        "record_id": record_id,
        "destination_id": destination_id,
        "status": status,
        "delivery_timestamp": now(),
    }
    fields.update(changes)
    return fields


def confirmation(module, batch_id, delivery_results, target="BROKER", correlation_id=None, **more):
    """A DELIVERY_CONFIRMATION, or a part of one."""
    return {
        "header": header(module, "DELIVERY_CONFIRMATION", target,
                         correlation_id=correlation_id or new_id()),
        "batch_id": batch_id,
        "delivery_results": delivery_results,
        **more,
    }


def record_ids(batch):
    """The ids of a batch's records, in their order."""
    return [record["record_id"] for record in msgpack.unpackb(batch["records"])]


def without_delivery(body):
    """The bytes of the frame that a delivery was made from: the last key off, the count one less.

    Serves the frames with a map of 1 to 15 keys as an encoder writes them in the shortest form.
    """
    message = decode(body)
    if list(message)[-1] != "delivery":
        raise ValueError("the last key is %r, not 'delivery'" % list(message)[-1])
    appended = encode("delivery") + encode(message["delivery"])
    if not body.endswith(appended):
        raise ValueError("the delivery key is not in the shortest form")
    head = len(map_head(len(message)))
    return map_head(len(message) - 1) + body[head:-len(appended)]
