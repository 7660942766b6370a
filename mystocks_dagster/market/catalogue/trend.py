"""Indicators of the trend: averages of the price, their differences, and the directional movement."""

from mystocks_dagster.market.catalogue.definition import Definition, Parameter

_MANUAL = "通达信 formula manager"
_PRICE = "CNY per share, hfq"

MA = Definition(
    name="MA",
    title="均线",
    about="Mean of the last n closes",
    source=_MANUAL,
    formula="MA:MA(CLOSE,N);",
    windows=(5, 10, 20, 60),
    outputs={"MA": ""},
    numbered=True,
    unit=_PRICE,
)
EXPMA = Definition(
    name="EXPMA",
    title="指数平均线",
    about="Exponential average of the close",
    source=_MANUAL,
    formula="EXPMA:EMA(CLOSE,N);",
    windows=(12, 50),
    outputs={"EXPMA": ""},
    prefix="ema",
    numbered=True,
    unit=_PRICE,
    aliases=("EMA",),
    note="It starts at the first bar. TA-Lib starts with the mean of the first n bars.",
)
MACD = Definition(
    name="MACD",
    title="平滑异同平均",
    about="Difference of two exponential averages, its average, and twice their difference",
    source=_MANUAL,
    formula="DIF:EMA(CLOSE,SHORT)-EMA(CLOSE,LONG);\nDEA:EMA(DIF,MID);\nMACD:(DIF-DEA)*2,COLORSTICK;",
    parameters=(
        Parameter("short", 12, "bars of the fast average"),
        Parameter("long", 26, "bars of the slow average"),
        Parameter("mid", 9, "bars of the average of DIF"),
    ),
    outputs={"DIF": "dif", "DEA": "dea", "MACD": ""},
    unit=_PRICE,
    note="The bar is twice the western histogram. TA-Lib starts its averages with a mean of the first bars.",
)
DMA = Definition(
    name="DMA",
    title="平均差",
    about="Difference of two means of the close, and its mean",
    source=f"{_MANUAL}; MyTT DFMA",
    formula="DIF:MA(CLOSE,N1)-MA(CLOSE,N2);\nDIFMA:MA(DIF,M);",
    parameters=(
        Parameter("n1", 10, "bars of the short mean"),
        Parameter("n2", 50, "bars of the long mean"),
        Parameter("m", 10, "bars of the mean of DIF"),
    ),
    outputs={"DIF": "dif", "DIFMA": "ma"},
    unit=_PRICE,
)
BBI = Definition(
    name="BBI",
    title="多空均线",
    about="Mean of four means of the close",
    source=_MANUAL,
    formula="BBI:(MA(CLOSE,M1)+MA(CLOSE,M2)+MA(CLOSE,M3)+MA(CLOSE,M4))/4;",
    parameters=tuple(Parameter(f"m{n}", bars, f"bars of mean {n}") for n, bars in enumerate((3, 6, 12, 24), 1)),
    outputs={"BBI": ""},
    unit=_PRICE,
)
UDL = Definition(
    name="UDL",
    title="引力线",
    about="Mean of four means of the close, and its mean",
    source=_MANUAL,
    formula="UDL:(MA(CLOSE,N1)+MA(CLOSE,N2)+MA(CLOSE,N3)+MA(CLOSE,N4))/4;\nMAUDL:MA(UDL,M);",
    parameters=(
        *(Parameter(f"n{n}", bars, f"bars of mean {n}") for n, bars in enumerate((3, 5, 10, 20), 1)),
        Parameter("m", 6, "bars of the mean of UDL"),
    ),
    outputs={"UDL": "", "MAUDL": "ma"},
    unit=_PRICE,
)
TRIX = Definition(
    name="TRIX",
    title="三重指数平均线",
    about="Rate of change of a triple exponential average, and its mean",
    source=_MANUAL,
    formula=("MTR:=EMA(EMA(EMA(CLOSE,N),N),N);\nTRIX:(MTR-REF(MTR,1))/REF(MTR,1)*100;\nMATRIX:MA(TRIX,M);"),
    parameters=(Parameter("n", 12, "bars of each average"), Parameter("m", 9, "bars of the mean of TRIX")),
    outputs={"TRIX": "", "MATRIX": "ma"},
    unit="percent a bar",
    note="MyTT takes 20 for M. TA-Lib starts each average with the mean of its first n values.",
)
DMI = Definition(
    name="DMI",
    title="趋向指标",
    about="Directional movement: PDI, MDI, ADX and ADXR",
    source=f"{_MANUAL}; MyTT DMI",
    formula="""\
MTR:=SUM(MAX(MAX(HIGH-LOW,ABS(HIGH-REF(CLOSE,1))),ABS(REF(CLOSE,1)-LOW)),N);
HD:=HIGH-REF(HIGH,1);
LD:=REF(LOW,1)-LOW;
DMP:=SUM(IF(HD>0 AND HD>LD,HD,0),N);
DMM:=SUM(IF(LD>0 AND LD>HD,LD,0),N);
PDI:DMP*100/MTR;
MDI:DMM*100/MTR;
ADX:MA(ABS(MDI-PDI)/(MDI+PDI)*100,M);
ADXR:(ADX+REF(ADX,M))/2;""",
    parameters=(Parameter("n", 14, "bars of the sums"), Parameter("m", 6, "bars of the mean of DX")),
    outputs={"PDI": "pdi", "MDI": "mdi", "ADX": "adx", "ADXR": "adxr"},
    unit="0 to 100",
    aliases=("ADX",),
    note="TA-Lib smooths with Wilder's average where 通达信 takes sums and means.",
)
SAR = Definition(
    name="SAR",
    title="抛物线指标",
    about="Stop and reverse: a stop price that follows the trend",
    source=f"{_MANUAL}; after J. Welles Wilder, New Concepts in Technical Trading Systems (1978)",
    formula="SAR:SAR(N,STEP,LIMIT);",
    parameters=(
        Parameter("n", 10, "bars of the extremes", low=2),
        Parameter("step", 2, "step of the acceleration in percent", high=100),
        Parameter("limit", 20, "limit of the acceleration in percent", high=100),
    ),
    outputs={"SAR": ""},
    unit=_PRICE,
    note="通达信 takes the extremes of the last N bars, TA-Lib those of the whole trend.",
)
ASI = Definition(
    name="ASI",
    title="振动升降指标",
    about="Accumulated swing index, and its mean",
    source=f"{_MANUAL}; MyTT ASI",
    formula="""\
LC:=REF(CLOSE,1);
AA:=ABS(HIGH-LC);
BB:=ABS(LOW-LC);
CC:=ABS(HIGH-REF(LOW,1));
DD:=ABS(LC-REF(OPEN,1));
R:=IF(AA>BB AND AA>CC,AA+BB/2+DD/4,IF(BB>CC AND BB>AA,BB+AA/2+DD/4,CC+DD/4));
X:=CLOSE-LC+(CLOSE-OPEN)/2+LC-REF(OPEN,1);
SI:=IF(R=0,0,16*X/R*MAX(AA,BB));
ASI:SUM(SI,M1);
ASIT:MA(ASI,M2);""",
    parameters=(Parameter("m1", 26, "bars of the sum"), Parameter("m2", 10, "bars of the mean of ASI")),
    outputs={"ASI": "", "ASIT": "t"},
    unit=_PRICE,
    note="A bar without any range adds 0, where a division by zero would leave no value.",
)
DPO = Definition(
    name="DPO",
    title="区间震荡线",
    about="Close less an earlier mean, and its mean",
    source=f"{_MANUAL}; MyTT DPO",
    formula="DPO:CLOSE-REF(MA(CLOSE,N),M);\nMADPO:MA(DPO,M1);",
    parameters=(
        Parameter("n", 20, "bars of the mean"),
        Parameter("m", 10, "bars by which the mean is moved"),
        Parameter("m1", 6, "bars of the mean of DPO"),
    ),
    outputs={"DPO": "", "MADPO": "ma"},
    unit=_PRICE,
)
