"""Indicators of the range: bands around the price, channels, and the true range."""

from mystocks_dagster.market.catalogue.definition import Definition, Parameter

_MANUAL = "通达信 formula manager"
_PRICE = "CNY per share, hfq"

BOLL = Definition(
    name="BOLL",
    title="布林线",
    about="Mean of the close, and bands of some standard deviations around it",
    source=f"{_MANUAL}; John Bollinger",
    formula="MID:MA(CLOSE,N);\nUPPER:MID+P*STD(CLOSE,N);\nLOWER:MID-P*STD(CLOSE,N);",
    parameters=(
        Parameter("n", 20, "bars of the mean and the deviation", low=2),
        Parameter("p", 2, "width in standard deviations", low=0.1, high=10, whole=False),
    ),
    outputs={"MID": "mid", "UPPER": "upper", "LOWER": "lower"},
    unit=_PRICE,
    note="The deviation is the sample's, as 通达信's STD is. MyTT and TA-Lib take the population's.",
)
KELTNER = Definition(
    name="KELTNER",
    title="肯特纳通道",
    about="Exponential average of the typical price, and bands of average true ranges around it",
    source="MyTT KTN; Chester W. Keltner, How To Make Money in Commodities (1960)",
    formula="""\
MTR:=MAX(MAX(HIGH-LOW,ABS(REF(CLOSE,1)-HIGH)),ABS(REF(CLOSE,1)-LOW));
ATR:=MA(MTR,M);
MID:EMA((HIGH+LOW+CLOSE)/3,N);
UPPER:MID+P*ATR;
LOWER:MID-P*ATR;""",
    parameters=(
        Parameter("n", 20, "bars of the average"),
        Parameter("m", 10, "bars of the true range"),
        Parameter("p", 2, "width in true ranges", low=0.1, high=10, whole=False),
    ),
    outputs={"MID": "mid", "UPPER": "upper", "LOWER": "lower"},
    unit=_PRICE,
    aliases=("KTN",),
)
ATR = Definition(
    name="ATR",
    title="真实波幅",
    about="True range, and its mean",
    source=f"{_MANUAL}; MyTT ATR",
    formula="""\
MTR:MAX(MAX(HIGH-LOW,ABS(REF(CLOSE,1)-HIGH)),ABS(REF(CLOSE,1)-LOW));
ATR:MA(MTR,N);""",
    parameters=(Parameter("n", 14, "bars of the mean"),),
    outputs={"MTR": "mtr", "ATR": ""},
    numbered=True,
    unit=_PRICE,
    note="通达信 takes the simple mean, TA-Lib Wilder's average.",
)
TAQ = Definition(
    name="TAQ",
    title="唐奇安通道",
    about="Highest high and lowest low of a window, and their middle",
    source="MyTT TAQ; Richard Donchian",
    formula="UPPER:HHV(HIGH,N);\nLOWER:LLV(LOW,N);\nMID:(UPPER+LOWER)/2;",
    parameters=(Parameter("n", 20, "bars of the window"),),
    outputs={"UPPER": "upper", "MID": "mid", "LOWER": "lower"},
    numbered=True,
    unit=_PRICE,
    aliases=("DONCHIAN",),
)
XSII = Definition(
    name="XSII",
    title="薛斯通道II",
    about="A channel of percentages around a short mean, and one around an adaptive average",
    source=_MANUAL,
    formula="""\
AA:=MA((2*CLOSE+HIGH+LOW)/4,5);
TD1:AA*N/100;
TD2:AA*(200-N)/100;
CC:=ABS((2*CLOSE+HIGH+LOW)/4-MA(CLOSE,20))/MA(CLOSE,20);
DD:=DMA(CLOSE,CC);
TD3:(1+M/100)*DD;
TD4:(1-M/100)*DD;""",
    parameters=(
        Parameter("n", 102, "upper line in percent of the mean", low=100, high=200),
        Parameter("m", 7, "half width of the channel in percent", high=100),
    ),
    outputs={"TD1": "td1", "TD2": "td2", "TD3": "td3", "TD4": "td4"},
    unit=_PRICE,
)
MIKE = Definition(
    name="MIKE",
    title="麦克支撑压力",
    about="Three lines of resistance and three of support",
    source=_MANUAL,
    formula="""\
HLC:=REF(MA((HIGH+LOW+CLOSE)/3,N),1);
HV:=EMA(HHV(HIGH,N),3);
LV:=EMA(LLV(LOW,N),3);
STOR:EMA(2*HV-LV,3);
MIDR:EMA(HLC+HV-LV,3);
WEKR:EMA(HLC*2-LV,3);
WEKS:EMA(HLC*2-HV,3);
MIDS:EMA(HLC-HV+LV,3);
STOS:EMA(2*LV-HV,3);""",
    parameters=(Parameter("n", 10, "bars of the window"),),
    outputs={name: name.lower() for name in ("STOR", "MIDR", "WEKR", "WEKS", "MIDS", "STOS")},
    unit=_PRICE,
)
BBIBOLL = Definition(
    name="BBIBOLL",
    title="多空布林线",
    about="BBI, and bands of its standard deviations around it",
    source=_MANUAL,
    formula="""\
BBIBOLL:(MA(CLOSE,3)+MA(CLOSE,6)+MA(CLOSE,12)+MA(CLOSE,24))/4;
UPPER:BBIBOLL+M*STD(BBIBOLL,N);
LOWER:BBIBOLL-M*STD(BBIBOLL,N);""",
    parameters=(
        Parameter("n", 11, "bars of the deviation", low=2),
        Parameter("m", 6, "width in standard deviations", low=0.1, high=10, whole=False),
    ),
    outputs={"BBIBOLL": "", "UPPER": "upper", "LOWER": "lower"},
    unit=_PRICE,
)
MASS = Definition(
    name="MASS",
    title="梅斯线",
    about="Sum of the ratios of a range's mean to the mean's mean, and its mean",
    source=f"{_MANUAL}; MyTT MASS",
    formula="MASS:SUM(MA(HIGH-LOW,N1)/MA(MA(HIGH-LOW,N1),N1),N2);\nMAMASS:MA(MASS,M);",
    parameters=(
        Parameter("n1", 9, "bars of the means"),
        Parameter("n2", 25, "bars of the sum"),
        Parameter("m", 6, "bars of the mean of MASS"),
    ),
    outputs={"MASS": "", "MAMASS": "ma"},
    unit="ratio",
)
