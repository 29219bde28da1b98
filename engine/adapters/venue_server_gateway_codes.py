"""Binance's words for what it refuses: codes, texts and HTTP statuses, and which of them says which reason."""

from __future__ import annotations

from engine.exchange.orders import Reason
from engine.model.codec import Data

TEXTS: dict[int, str] = {
    -1000: "An unknown error occurred while processing the request.",
    -1003: "Too many requests; current limit is {0} request weight per 1 MINUTE. Please use the websocket for live "
           "updates to avoid polling the API.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1013: "Filter failure: {0}",
    -1015: "Too many new orders; current limit is {0} orders per {1}.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1100: "Illegal characters found in parameter '{0}'.",
    -1102: "Mandatory parameter '{0}' was not sent, was empty/null, or malformed.",
    -1106: "Parameter '{0}' sent when not required.",
    -1111: "Precision is over the maximum defined for this asset.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1121: "Invalid symbol.",
    -1125: "This listenKey does not exist.",
    -1131: "recvWindow must be less than 60000.",
    -2010: "NEW_ORDER_REJECTED",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
    -2019: "Margin is insufficient.",
    -2021: "Order would immediately trigger.",
    -2022: "ReduceOnly Order is rejected.",
    -2025: "Reach max open order limit.",
    -4001: "Price less than 0.",
    -4003: "Quantity less than or equal to zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4014: "Price not increased by tick size.",
    -4015: "Client order id is not valid.",
    -4016: "Limit price can't be higher than {0}.",
    -4023: "Quantity not increased by step size.",
    -4024: "Limit price can't be lower than {0}.",
    -4028: "Leverage {0} is not valid.",
    -4045: "Reach max stop order limit.",
    -4046: "No need to change margin type.",
    -4059: "No need to change position side.",
    -4061: "Order's position side does not match user's setting.",
    -4067: "Position side cannot be changed if there exists open orders.",
    -4116: "ClientOrderId is duplicated.",
    -4118: "ReduceOnly Order Failed. Please check your existing position and open orders.",
    -4120: "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    -4130: "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    -4136: "Target strategy invalid for orderType '{0}',closePosition '{1}'",
    -4137: "Quantity must be zero with closePosition equals true",
    -4164: "Order's notional must be no smaller than {0} (unless you choose reduce only).",
    -4509: "Time in Force (TIF) GTE can only be used with open positions. Please ensure that positions are available.",
    -5000: "Path {0}, Method {1} is invalid",
    -5022: "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not "
           "be recorded in the order history",
}
STATUS = {-1003: 429, -1007: 408, -1015: 429, -2014: 401, -2015: 401, -5000: 404}
"""HTTP statuses other than 400."""

BY_REASON: dict[Reason, int] = {
    Reason.UNKNOWN_INSTRUMENT: -1121, Reason.BAD_ORDER: -1102, Reason.DUPLICATE_CLIENT_ID: -4116, Reason.TICK: -4014,
    Reason.STEP: -4023, Reason.MIN_QUANTITY: -4004, Reason.MAX_QUANTITY: -4005, Reason.MIN_NOTIONAL: -4164,
    Reason.PRICE_BAND: -4016, Reason.NO_MARKET: -4131, Reason.REDUCE_ONLY: -2022, Reason.NO_POSITION: -4509,
    Reason.POST_ONLY: -5022, Reason.WOULD_TRIGGER: -2021, Reason.TOO_MANY_ORDERS: -4045, Reason.CLOSE_EXISTS: -4130,
    Reason.INSUFFICIENT_MARGIN: -2019, Reason.INSUFFICIENT_BALANCE: -2019, Reason.UNKNOWN_ORDER: -2011,
}


class Refused(Exception):
    """A request that is answered with an error of Binance's."""

    def __init__(self, code: int, *words: str, status: int | None = None, text: str | None = None) -> None:
        """`words` go into the text of `code`; `text` stands instead of it."""
        self.code = code
        self.text = text if text is not None else TEXTS.get(code, "Unknown error.").format(*words)
        self.status = status if status is not None else STATUS.get(code, 400)
        super().__init__(f"{code}: {self.text}")

    @property
    def body(self) -> Data:
        """The body as Binance words it."""
        return {"code": self.code, "msg": self.text}
