"""Indicators of the volume: its averages, and how it goes with the price.

Volume is the raw number of shares. 通达信 counts lots of 100 shares; where that changes a value, the formula divides.
"""

from mystocks_dagster.market.catalogue.definition import Definition, Parameter

_MANUAL = "通达信 formula manager"
_SHARES = "shares, raw"

VOL = Definition(
    name="VOL",
    title="成交量均线",
    about="Mean of the volume of the last n bars",
    source=_MANUAL,
    formula="VOLMA:MA(VOL,N);",
    windows=(5, 10),
    outputs={"VOLMA": ""},
    prefix="vol_ma",
    numbered=True,
    unit=_SHARES,
    aliases=("VOLMA", "MAVOL"),
    note="通达信 counts lots of 100 shares.",
)
AMO = Definition(
    name="AMO",
    title="成交额均线",
    about="Mean of the amount of the last n bars",
    source=_MANUAL,
    formula="AMOMA:MA(AMOUNT,N);",
    windows=(5, 10),
    outputs={"AMOMA": ""},
    prefix="amo_ma",
    numbered=True,
    unit="CNY",
    note="通达信 shows 10,000 CNY.",
)
HSL = Definition(
    name="HSL",
    title="换手线",
    about="Mean of the turnover of the last n bars",
    source=_MANUAL,
    formula="HSLMA:MA(HSL,N);",
    windows=(5, 10),
    outputs={"HSLMA": ""},
    prefix="hsl_ma",
    numbered=True,
    unit="percent of the float shares a bar",
    note="Without a stored turnover of a bar it is null: the share capital of that day is not known.",
)
OBV = Definition(
    name="OBV",
    title="累积能量线",
    about="Volume added on rising and taken away on falling bars, and its mean",
    source=f"{_MANUAL}; MyTT OBV",
    formula="""\
VA:=IF(CLOSE>REF(CLOSE,1),VOL,IF(CLOSE<REF(CLOSE,1),-VOL,0));
OBV:SUM(VA,0)/10000;
MAOBV:MA(OBV,M);""",
    parameters=(Parameter("m", 30, "bars of the mean of OBV"),),
    outputs={"OBV": "", "MAOBV": "ma"},
    unit="10,000 shares, raw",
    note="The sum starts at the first stored bar with 0. TA-Lib starts with the first bar's volume.",
)
VR = Definition(
    name="VR",
    title="成交量变异率",
    about="Volume of rising against falling bars in percent, and its mean",
    source=f"{_MANUAL}; MyTT VR",
    formula="""\
LC:=REF(CLOSE,1);
TH:=SUM(IF(CLOSE>LC,VOL,0),N);
TL:=SUM(IF(CLOSE<LC,VOL,0),N);
TQ:=SUM(IF(CLOSE=LC,VOL,0),N);
VR:100*(TH*2+TQ)/(TL*2+TQ);
MAVR:MA(VR,M);""",
    parameters=(Parameter("n", 26, "bars of the sums"), Parameter("m", 6, "bars of the mean of VR")),
    outputs={"VR": "", "MAVR": "ma"},
    unit="percent",
    note="MyTT leaves out the volume of unchanged bars.",
)
MFI = Definition(
    name="MFI",
    title="资金流量指标",
    about="Money of rising against falling typical prices, 0 to 100",
    source=f"{_MANUAL}; MyTT MFI",
    formula="""\
TYP:=(HIGH+LOW+CLOSE)/3;
V1:=SUM(IF(TYP>REF(TYP,1),TYP*VOL,0),N);
V2:=SUM(IF(TYP<REF(TYP,1),TYP*VOL,0),N);
MFI:100*V1/(V1+V2);""",
    parameters=(Parameter("n", 14, "bars of the sums"),),
    outputs={"MFI": ""},
    numbered=True,
    unit="0 to 100",
    note="Written without the ratio V1/V2, which has no value in a window without a fall.",
)
EMV = Definition(
    name="EMV",
    title="简易波动指标",
    about="Move of the middle price weighted with range and volume, and its mean",
    source=f"{_MANUAL}; MyTT EMV",
    formula="""\
VOLUME:=MA(VOL,N)/VOL;
MID:=100*(HIGH+LOW-REF(HIGH+LOW,1))/(HIGH+LOW);
EMV:MA(MID*VOLUME*(HIGH-LOW)/MA(HIGH-LOW,N),N);
MAEMV:MA(EMV,M);""",
    parameters=(Parameter("n", 14, "bars of the means"), Parameter("m", 9, "bars of the mean of EMV")),
    outputs={"EMV": "", "MAEMV": "ma"},
    unit="percent, weighted",
)
WVAD = Definition(
    name="WVAD",
    title="威廉变异离散量",
    about="Volume weighted with the body of the bar against its range, summed, and its mean",
    source=_MANUAL,
    formula="""\
WVAD:SUM(IF(HIGH=LOW,0,(CLOSE-OPEN)/(HIGH-LOW)*VOL),N)/10000;
MAWVAD:MA(WVAD,M);""",
    parameters=(Parameter("n", 24, "bars of the sum"), Parameter("m", 6, "bars of the mean of WVAD")),
    outputs={"WVAD": "", "MAWVAD": "ma"},
    unit="10,000 shares, raw",
    note="A bar with one price adds 0, where a division by zero would leave no value.",
)
PVT = Definition(
    name="PVT",
    title="量价趋势",
    about="Volume weighted with the change of the close, added up",
    source=_MANUAL,
    formula="""\
LC:=REF(CLOSE,1);
PVT:SUM(IF(BARSCOUNT(CLOSE)=1,0,(CLOSE-LC)/LC*VOL),0)/10000;
MAPVT:MA(PVT,M);""",
    parameters=(Parameter("m", 10, "bars of the mean of PVT"),),
    outputs={"PVT": "", "MAPVT": "ma"},
    unit="10,000 shares, raw",
    note="The sum starts at the first stored bar.",
)
VOSC = Definition(
    name="VOSC",
    title="成交量震荡",
    about="Short mean of the volume less a long one, in percent of the short one",
    source=_MANUAL,
    formula="VOSC:(MA(VOL,SHORT)-MA(VOL,LONG))/MA(VOL,SHORT)*100;",
    parameters=(Parameter("short", 12, "bars of the short mean"), Parameter("long", 26, "bars of the long mean")),
    outputs={"VOSC": ""},
    unit="percent",
)
VROC = Definition(
    name="VROC",
    title="量变动速率",
    about="Change of the volume over n bars in percent",
    source=_MANUAL,
    formula="VROC:100*(VOL-REF(VOL,N))/REF(VOL,N);",
    parameters=(Parameter("n", 12, "bars of the change"),),
    outputs={"VROC": ""},
    numbered=True,
    unit="percent",
)
VRSI = Definition(
    name="VRSI",
    title="相对强弱量",
    about="RSI of the volume",
    source=_MANUAL,
    formula="LV:=REF(VOL,1);\nVRSI:SMA(MAX(VOL-LV,0),N,1)/SMA(ABS(VOL-LV),N,1)*100;",
    windows=(6, 12, 24),
    outputs={"VRSI": ""},
    numbered=True,
    unit="0 to 100",
)
VSTD = Definition(
    name="VSTD",
    title="成交量标准差",
    about="Standard deviation of the volume of the last n bars",
    source=_MANUAL,
    formula="VSTD:STD(VOL,N);",
    parameters=(Parameter("n", 10, "bars of the deviation", low=2),),
    outputs={"VSTD": ""},
    numbered=True,
    unit=_SHARES,
)
CHO = Definition(
    name="CHO",
    title="佳庆指标",
    about="Short less long mean of the accumulated volume weighted with the close's place in the bar, and its mean",
    source=_MANUAL,
    formula="""\
MID:=SUM(VOL*(2*CLOSE-HIGH-LOW)/(HIGH+LOW),0);
CHO:(MA(MID,N1)-MA(MID,N2))/100;
MACHO:MA(CHO,M);""",
    parameters=(
        Parameter("n1", 10, "bars of the short mean"),
        Parameter("n2", 20, "bars of the long mean"),
        Parameter("m", 6, "bars of the mean of CHO"),
    ),
    outputs={"CHO": "", "MACHO": "ma"},
    unit="lots of 100 shares, raw",
)
